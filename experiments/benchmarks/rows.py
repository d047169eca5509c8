"""A benchmark's result is a row: ours against one peer, with spread and origin; one JSON line each."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scaling.border.files import write_atomically

STATUSES = ("ok", "skipped", "failed")
Quartiles = tuple[float, float]


@dataclass(frozen=True)
class Measurement:
    """One comparison. `ours` and `theirs` are medians over `repeats` rounds, in `unit` (s or bytes).

    `ratio` is the median over rounds of theirs / ours: above 1 ours is faster, or smaller. Without a
    number, `status` and `note` say why. `times` is how often the network meets the operator. Facts
    hold what each contender said of itself (compile seconds, memory in bytes); `environment` says
    device, cores, versions, revision and date.
    """

    section: str
    model: str
    case: str
    mode: str
    peer: str
    unit: str
    batch: int
    resolution: int
    dtype: str
    repeats: int
    times: int = 1
    status: str = "ok"
    note: str = ""
    ours: float | None = None
    ours_quartiles: Quartiles | None = None
    theirs: float | None = None
    theirs_quartiles: Quartiles | None = None
    ratio: float | None = None
    ratio_quartiles: Quartiles | None = None
    ours_facts: dict[str, Any] = field(default_factory=dict)
    theirs_facts: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self):
        if self.status not in STATUSES:
            raise ValueError(f"status={self.status!r} of {self.case} must be one of {STATUSES}.")

    @property
    def key(self) -> tuple:
        """What a newer row of the same replaces."""
        what = (self.section, self.model, self.case, self.mode, self.peer, self.unit)
        machine = tuple(self.environment.get(name) for name in ("device_kind", "processor", "cores"))
        return (*what, self.batch, self.resolution, self.dtype, *machine)

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self))

    @staticmethod
    def from_json(text: str) -> Measurement:
        fields = json.loads(text)
        pairs = ("ours_quartiles", "theirs_quartiles", "ratio_quartiles")
        tuples = {name: tuple(fields[name]) for name in pairs if fields.get(name) is not None}
        return Measurement(**{**fields, **tuples})


def read(directory: Path, section: str) -> list[Measurement]:
    """Read a section's rows, none where it was never run; ValueError naming a damaged line."""
    path = directory / f"{section}.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return [_read_line(path, number, line) for number, line in enumerate(lines, 1)]


def merge(directory: Path, section: str, new: Sequence[Measurement]) -> list[Measurement]:
    """Store new rows among the old: equals are replaced in place, but no number by a skipped peer."""
    rows = {row.key: row for row in read(directory, section)}
    for row in new:
        if row.status != "skipped" or rows.get(row.key, row).status != "ok":
            rows[row.key] = row
    write_atomically(directory / f"{section}.jsonl", _lines(rows.values()))
    return list(rows.values())


def _lines(rows: Iterable[Measurement]) -> str:
    return "".join(f"{row.to_json()}\n" for row in rows)


def _read_line(path: Path, number: int, line: str) -> Measurement:
    try:
        return Measurement.from_json(line)
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"{path.name}, line {number} is not a row of this version ({error}): delete it and measure again."
        ) from error
