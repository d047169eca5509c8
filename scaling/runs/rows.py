"""A result is a row: one immutable, self-describing JSON file a run, written last and atomically."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scaling.arch.fields import LATER, marked
from scaling.border.files import read_json, write_atomically
from scaling.border.pinned import digest
from scaling.border.typed import check_fields, needed
from scaling.runs.recorded import Recorded, encode, read_spec
from scaling.runs.spec import RunSpec

STATUSES = OK, NAN, OOM, TIMEOUT, FAILED, LOST = "ok", "nan", "oom", "timeout", "failed", "lost"
# A run that ended thus would end thus again; one stopped by time or memory, or whose process was lost, may be
# tried again.
FINAL = OK, NAN
# Fields as older versions wrote them
RENAMED = {"depth": "depth_factor", "width": "width_factor"}
# Splits whose metrics a row holds, as "val_top1": older rows have a field for each
MEASURED = ("val_", "test_")


NAMED_CLASSES = 200  # whose names a row holds; of more, `network.json` does
AVERAGED = "_ema"  # how the names of metrics of averaged weights end


@dataclass(frozen=True)
class Row:
    """One finished run; None where something was not measured.

    `metrics` are those of the run's task, "val_top1" and "test_top1", and of averaged parameters
    "val_top1_ema". `macs` are multiply-adds of one forward pass of one image; `train_flops` = 3 forward
    passes x 2 FLOPs per MAC x `examples_seen` images; times in the unit of their name; `peak_memory` in
    bytes. `skipped` counts updates that were left out and `rollbacks` how often training went back to a
    checkpoint, since values were not finite (`config.train.non_finite`); what was undone is not in the
    counts. `classes` are their names, where they are few enough (`NAMED_CLASSES`). `estimated_seconds` and
    `estimated_memory` are what a dry run said of `seconds` and `peak_memory`, where there was one. `id` is
    what the run was called when it ended: it is never computed again from `spec`. `recorded` is what `spec`
    was read from, so that a row of an older version is written as it was."""

    id: str
    status: str
    spec: RunSpec
    arch_name: str
    family: str
    depth_factor: float
    width_factor: float
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
    metrics: dict[str, float | None] = field(default_factory=dict)
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
    skipped: int = field(default=0, metadata=LATER)
    rollbacks: int = field(default=0, metadata=LATER)
    classes: tuple[str, ...] = field(default=(), metadata=LATER)
    estimated_seconds: float | None = field(default=None, metadata=LATER)
    estimated_memory: int | None = field(default=None, metadata=LATER)
    recorded: Recorded | None = field(default=None, compare=False, repr=False)

    def __post_init__(self):
        if self.status not in STATUSES:
            raise ValueError(f"row {self.id}: status={self.status!r} must be one of {STATUSES}.")

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-able values, later fields where they say something; `Row.from_dict` reads them back."""
        later = {name: getattr(self, name) for name in marked(Row, LATER)}
        silent = {name for name, value in later.items() if value == getattr(Row, name)}
        values = {name: getattr(self, name) for name in FIELDS if name not in silent}
        if self.recorded is not None and self.recorded.spec is self.spec:
            return values | {"spec": dict(self.recorded.values)}
        return values | {"spec": self.spec.to_dict()}

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Row:
        """Read what `to_dict` gave, in this version or an older one; ValueError for what makes no row."""
        if not isinstance(data, Mapping):
            raise ValueError(f"a row is an object of named fields, not {type(data).__name__}.")  # noqa: TRY004
        values = _gathered({RENAMED.get(name, name): value for name, value in data.items()})
        if unknown := values.keys() - set(FIELDS):
            raise ValueError(f"row has unknown fields {sorted(unknown)}: it was written by another version.")
        if lacking := NEEDED - values.keys():
            raise ValueError(f"row lacks the fields {sorted(lacking)}: it is not whole.")
        recorded = read_spec(values["spec"])
        values["spec"] = recorded.spec
        if isinstance(told := values.get("classes"), list):
            values["classes"] = tuple(told)
        check_fields(Row, values, "row")
        _check_numbers(values)
        return Row(**values, recorded=recorded)


def _check_numbers(values: Mapping[str, Any]) -> None:
    """Raise ValueError for a number that no run has: not finite, or an accuracy outside of [0, 1]."""
    for name, value in {**values, **values["metrics"]}.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"row.{name}={value} must be finite, or null where it was not measured.")
        if value is not None and name.startswith(MEASURED) and "_top" in name and not 0 <= value <= 1:
            raise ValueError(f"row.{name}={value} must be in [0, 1]: an accuracy is a fraction.")


def _gathered(values: dict[str, Any]) -> dict[str, Any]:
    """Put metrics that stand among the fields, as in older rows and in tables, into `metrics`."""
    loose = {name: value for name, value in values.items() if name.startswith(MEASURED)}
    kept = {name: value for name, value in values.items() if name not in loose}
    found = loose | dict(kept.get("metrics", {}))
    return kept | {"metrics": {name: found[name] for name in sorted(found, key=_place)}}


def _place(name: str) -> tuple[bool, bool, bool, str]:
    """Validation before test, raw before averaged parameters, a loss last, else by name."""
    return name.startswith("test_"), name.endswith(AVERAGED), name.endswith("loss"), name


# What a row on disk has, in order, and what it cannot lack
FIELDS = tuple(f.name for f in dataclasses.fields(Row) if f.name != "recorded")
NEEDED = needed(Row)
CHECKSUM = "checksum"  # of the other fields of a `row.json`; files from before have none


def write_row(path: Path, row: Row) -> None:
    """Write `row.json` atomically, with a checksum of its fields."""
    values = row.to_dict()
    sealed = {**values, CHECKSUM: digest(encode(values).encode())}
    write_atomically(path, json.dumps(sealed, indent=1, sort_keys=True) + "\n")


def read_row(path: Path) -> Row:
    """Read one `row.json`; ValueError (naming the file) where it is damaged."""
    try:
        values = read_json(Path(path))
        told = values.pop(CHECKSUM, None) if isinstance(values, dict) else None
        if told is not None and told != digest(encode(values).encode()):
            raise ValueError("its checksum differs, so it was changed after it was written")
        return Row.from_dict(values)
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError(f"{path} is not a readable row: {error}") from error
