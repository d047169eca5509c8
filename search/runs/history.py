"""What a search did, line by line: `history.jsonl`, the only truth about it.

A line is on disk before the next point is evaluated. The state of a strategy is nowhere kept: strategies
are pure, so the lines bring it back.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from search.core.evaluation import Evaluation

FILE = "history.jsonl"


@dataclass(frozen=True)
class Record:
    """One evaluation. `name` is the point's official string, `network` that of its canonical form.

    `rewards` has one number an objective, None where it is not finite. `cached`: an earlier line of the
    same network answered, at no cost. The other fields are those of `search.core.evaluation.Evaluation`.
    """

    index: int
    point: tuple[int, ...]
    name: str
    network: str
    rewards: tuple[float | None, ...]
    cached: bool
    metrics: Mapping[str, float] = field(default_factory=dict)
    status: str = "ok"
    fidelity: str = ""
    seed: int = 0
    cost: float = 0.0
    message: str = ""

    @property
    def reward(self) -> float:
        """The reward of a search with one objective; minus infinity where there is none."""
        (reward,) = self.rewards
        return -math.inf if reward is None else reward

    @property
    def evaluation(self) -> Evaluation:
        """The record's measured part."""
        return Evaluation(**{f.name: getattr(self, f.name) for f in dataclasses.fields(Evaluation)})

    def to_json(self) -> str:
        """One line, without its end."""
        return json.dumps(dataclasses.asdict(self), allow_nan=False)

    @staticmethod
    def from_json(line: str) -> Record:
        """Read what `to_json` wrote; ValueError where it is damaged."""
        try:
            values: dict[str, Any] = json.loads(line)
            lists = {name: tuple(values[name]) for name in ("point", "rewards")}
            return Record(**{**values, **lists})
        except (TypeError, KeyError) as error:
            raise ValueError(f"it lacks or has unknown fields ({error})") from error


class History:
    """The records of one directory, in order; `append` adds to the file and to the list."""

    def __init__(self, directory: Path):
        self._path = directory / FILE
        self.records, whole = _read(self._path)
        if self._path.exists() and whole < self._path.stat().st_size:
            os.truncate(self._path, whole)  # a line that was being written when the machine died

    def append(self, records: Sequence[Record]) -> None:
        """Add records, and return once they are on the disk."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with open(self._path, "a", encoding="utf-8") as file:
            file.writelines(record.to_json() + "\n" for record in records)
            file.flush()
            os.fsync(file.fileno())
        self.records += records


def read(directory: Path) -> list[Record]:
    """The records of a search's directory; ValueError where there are none or a line is damaged."""
    records, _ = _read(directory / FILE)
    if not records:
        raise ValueError(f"{directory} holds no {FILE} with a line: name the --workdir of a search.")
    return records


def _read(path: Path) -> tuple[list[Record], int]:
    """The records of a file and the bytes that they take; an unfinished last line is left out."""
    if not path.exists():
        return [], 0
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    records = []
    for number, line in enumerate(data[:whole].decode().splitlines(), start=1):
        try:
            record = Record.from_json(line)
        except ValueError as error:
            raise ValueError(
                f"{path}, line {number}: {error}: mend the line, or cut the file before it; the search then "
                "goes on from there."
            ) from error
        if record.index != number - 1:
            raise ValueError(
                f"{path}, line {number} has index {record.index}, not {number - 1}: a line is lost."
            )
        records.append(record)
    return records, whole
