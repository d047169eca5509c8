"""What a search did, line by line: `history.jsonl`, the only truth about it.

A line is on disk before the next point is evaluated. The state of a strategy is nowhere kept: strategies
are pure, so the lines bring it back.
"""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scaling.border.disk import naming
from scaling.border.files import read_json
from scaling.border.lines import seal, unseal
from scaling.border.typed import build
from scaling.runs.workdir import CONFIG
from search.core.evaluation import Evaluation
from search.runs import mark
from search.runs.workdir import HISTORY, MARK

MEASURED = tuple(f.name for f in dataclasses.fields(Evaluation))


@dataclass(frozen=True, kw_only=True)
class Record(Evaluation):
    """An evaluation in its place in a search, the line of index `index`.

    `name` is the point's official string, `network` that of its canonical form; `rung` is how thoroughly it
    was measured. `rewards` has one number an objective, None where it is not finite. `cached`: an earlier
    line of the same network at this rung answered, at no cost.
    """

    index: int
    point: tuple[int, ...]
    rung: int = 0
    name: str
    network: str
    rewards: tuple[float | None, ...]
    cached: bool

    @property
    def reward(self) -> float:
        """The reward of a search with one objective; minus infinity where there is none."""
        (reward,) = self.rewards
        return -math.inf if reward is None else reward

    @property
    def evaluation(self) -> Evaluation:
        """The evaluation without its place."""
        return Evaluation(**{name: getattr(self, name) for name in MEASURED})

    def to_json(self) -> str:
        """One line, without its end: what was asked, what was measured, and a checksum of both."""
        values = dataclasses.asdict(self)
        names = sorted(values, key=lambda name: name in MEASURED)
        return seal({name: values[name] for name in names})

    @staticmethod
    def from_json(line: str, halved: bool = False) -> Record:
        """Read what `to_json` wrote, also before lines had a rung, of a `halved` search or another.

        ValueError where it is damaged.
        """
        try:
            values = unseal(line)
            if halved and "rung" not in values:
                values = _with_rung(values)
            return build(Record, values, "record")
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"it lacks or has unknown fields ({error})") from error


def _with_rung(values: Mapping[str, Any]) -> dict[str, Any]:
    """Read a line of the older format, whose points end with the rung and whose names end with "@" and it."""
    *point, rung = values["point"]
    names = {key: values[key].removesuffix(f"@{rung}") for key in ("name", "network")}
    return {**values, "point": point, "rung": rung, **names}


class History:
    """The records of one directory, in order; `append` adds to the file and to the list.

    ValueError where lines are damaged or gone.
    """

    def __init__(self, directory: Path):
        self._directory, self._path = directory, directory / HISTORY
        self.records, whole = _read(directory)
        self._mark = mark.NOTHING.after(whole)
        if self._path.exists() and len(whole) < self._path.stat().st_size:
            os.truncate(self._path, len(whole))  # a line that was being written when the machine died

    def append(self, records: Sequence[Record]) -> None:
        """Add records, and return once they are on the disk."""
        self._directory.mkdir(parents=True, exist_ok=True)
        text = "".join(record.to_json() + "\n" for record in records).encode()
        with naming(self._path), open(self._path, "ab") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        self._mark = self._mark.after(text)
        mark.write(self._directory, self._mark)
        self.records += records


def read(directory: Path, problems: list[str] | None = None) -> list[Record]:
    """The records of a search's directory; ValueError where there are none.

    A damaged line is one too, and lines that are gone, unless `problems` takes it: the records are then
    those of the other lines.
    """
    records, _ = _read(directory, problems)
    if not records:
        raise ValueError(f"{directory} holds no {HISTORY} with a line: name the --workdir of a search.")
    return records


def _read(directory: Path, problems: list[str] | None = None) -> tuple[list[Record], bytes]:
    """The records of a directory and their text; an unfinished last line is left out."""
    path = directory / HISTORY
    data = path.read_bytes() if path.exists() else b""
    whole, halved = data[: data.rfind(b"\n") + 1], _halved(directory / CONFIG)
    records: list[Record] = []
    for number, line in enumerate(whole.splitlines(), start=1):
        try:
            records.append(_record(line, halved, number, records))
        except ValueError as error:
            told = f"{path}, line {number}: {error}"
            _tell(told, f"mend the line, or cut the file before it and delete {MARK}", problems, error)
    if told := mark.problem(directory, whole):
        _tell(told, f"put the lines back, or delete {MARK} to go without them", problems)
    return records, whole


def _tell(problem: str, fix: str, problems: list[str] | None, error: Exception | None = None) -> None:
    """Add a problem to those that are taken; ValueError, with its fix, where none is."""
    if problems is None:
        raise ValueError(f"{problem}: {fix}; the search then goes on from there.") from error
    problems.append(problem)


def _record(line: bytes, halved: bool, number: int, before: Sequence[Record]) -> Record:
    """The record of a line; ValueError where it is damaged, or does not follow those before it."""
    record = Record.from_json(line.decode(), halved)
    if record.index != number - 1:
        raise ValueError(f"has index {record.index}, not {number - 1}: a line is lost")
    if before and len(record.rewards) != len(before[0].rewards):
        raise ValueError(f"has {len(record.rewards)} rewards, not {len(before[0].rewards)} as the first")
    return record


def _halved(config: Path) -> bool:
    """Whether a search's config has rungs; False where there is none."""
    try:
        return bool(read_json(config).get("strategy", {}).get("widths"))
    except (OSError, ValueError, AttributeError):
        return False
