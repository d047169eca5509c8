"""A run's or a search's directory: whose it is, what is in it, and a run's row."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from scaling.border.files import write_json
from scaling.border.typed import flatten
from scaling.runs.rows import FINAL, Row, read_row
from scaling.runs.spec import RunSpec

# What a run's directory holds
CONFIG, ENVIRONMENT, NETWORK, ROW = "config.json", "env.json", "network.json", "row.json"
METRICS, EVENTS, CHECKPOINTS = "metrics.jsonl", "events", "checkpoints"
LOG = "log.txt"  # what the process of a sweep's trial printed


class Spec(Protocol):
    """What a directory can belong to: a `RunSpec`, or another spec with an id."""

    @property
    def id(self) -> str: ...

    def to_dict(self) -> dict[str, Any]: ...

    @staticmethod
    def from_config(config: Mapping[str, Any]) -> Any: ...


def check_owner(workdir: Path, spec: Spec) -> None:
    """Raise ValueError where the directory belongs to a run that computes something else."""
    if workdir.exists() and not workdir.is_dir():
        raise ValueError(f"--workdir={workdir} is a file: name a directory, new or of this run.")
    path = workdir / CONFIG
    if not path.exists():
        return
    try:
        owner = type(spec).from_config(json.loads(path.read_text()))
    except ValueError as error:
        raise ValueError(
            f"{path} cannot be read by this version ({error}) so the run cannot be continued: choose another --workdir."
        ) from error
    if owner.id != spec.id:
        raise ValueError(
            f"--workdir={workdir} belongs to run {owner.id}, which differs from this one ({spec.id}) in "
            f"{_differences(owner, spec)}: choose another --workdir, or pass --config={path} to go on with "
            "that run. Nothing was changed."
        )


def claim(workdir: Path, spec: Spec) -> None:
    """Make the directory this run's; one that is keeps its `config.json`."""
    if not (workdir / CONFIG).exists():
        write_json(workdir / CONFIG, spec.to_dict())


def finished_row(workdir: Path, spec: RunSpec) -> Row | None:
    """Return the row of this very run where it is there and final."""
    path = workdir / ROW
    if not path.exists():
        return None
    row = read_row(path)
    return row if row.id == spec.id and row.status in FINAL else None


def _differences(owner: Spec, spec: Spec) -> str:
    ours, theirs = flatten(spec.to_dict(), "config."), flatten(owner.to_dict(), "config.")
    told = [
        f"{key} ({theirs.get(key)!r} there, {ours[key]!r} here)"
        for key in ours
        if ours[key] != theirs.get(key)
    ]
    return ", ".join(told[:4]) + (f" and {len(told) - 4} more" if len(told) > 4 else "")
