"""A result is a row: one immutable, self-describing JSON file a run, written last and atomically."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scaling.border.files import write_atomically

STATUSES = OK, NAN, OOM, TIMEOUT, FAILED = "ok", "nan", "oom", "timeout", "failed"
# A run that ended thus would end thus again; one stopped by time or memory may be tried again.
FINAL = OK, NAN


@dataclass(frozen=True)
class Row:
    """One finished run. Accuracies are fractions in [0, 1]; None where not measured.

    `macs` are multiply-adds of one forward pass of one image; `train_flops` = 3 forward passes x
    2 FLOPs per MAC x `examples_seen` images; times in the unit of their name; `peak_memory` in bytes.
    """

    id: str
    status: str
    spec: dict[str, Any]
    arch_name: str
    family: str
    depth: float
    width: float
    resolution: int
    phi: float | None
    params: int
    batch_stats: int
    macs: int
    activations: int
    seed: int
    examples_seen: int = 0
    train_flops: float = 0.0
    steps: int = 0
    train_loss: float | None = None
    val_top1: float | None = None
    val_top5: float | None = None
    val_loss: float | None = None
    val_top1_ema: float | None = None
    val_top5_ema: float | None = None
    test_top1: float | None = None
    test_top5: float | None = None
    test_loss: float | None = None
    test_top1_ema: float | None = None
    test_top5_ema: float | None = None
    examples: dict[str, int] = field(default_factory=dict)
    dataset: str = ""
    compile_seconds: float | None = None
    step_ms: float | None = None
    images_per_second: float | None = None
    data_wait: float | None = None
    seconds: float | None = None
    peak_memory: int | None = None
    device_kind: str = ""
    device_count: int = 0
    process_count: int = 1
    git_revision: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    finished: str = ""
    message: str = ""

    def __post_init__(self):
        if self.status not in STATUSES:
            raise ValueError(f"row {self.id}: status={self.status!r} must be one of {STATUSES}.")

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @staticmethod
    def from_dict(data: dict[str, Any]) -> Row:
        known = {f.name for f in dataclasses.fields(Row)}
        unknown = set(data) - known
        if unknown:
            raise ValueError(f"row has unknown fields {sorted(unknown)}: it was written by another version.")
        return Row(**data)


def write_row(path: Path, row: Row) -> None:
    """Write `row.json` atomically."""
    write_atomically(path, json.dumps(row.to_dict(), indent=1, sort_keys=True) + "\n")


def read_row(path: Path) -> Row:
    """Read one `row.json`; ValueError (naming the file) where it is damaged."""
    try:
        return Row.from_dict(json.loads(Path(path).read_text()))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path} is not a readable row: {error}") from error


def read_rows(paths: Iterable[Path]) -> tuple[list[Row], list[str]]:
    """Read many rows; return the good ones and one line for each bad one."""
    rows, problems = [], []
    for path in paths:
        try:
            rows.append(read_row(path))
        except (ValueError, OSError) as error:
            problems.append(str(error))
    return rows, problems
