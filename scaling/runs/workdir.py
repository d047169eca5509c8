"""A run's or a search's directory: whose it is, what is in it, and a run's row."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from scaling.border.files import read_json, write_json
from scaling.border.typed import flatten
from scaling.runs.rows import FINAL, Row, read_row
from scaling.runs.spec import RunSpec

# What a run's directory holds
CONFIG, ENVIRONMENT, NETWORK, ROW = "config.json", "env.json", "network.json", "row.json"
METRICS, EVENTS, CHECKPOINTS, PICTURES = "metrics.jsonl", "events", "checkpoints", "pictures.png"
LOG = "log.txt"  # what the process of a sweep's trial printed
ESTIMATE = "estimate.json"  # what a dry run said beforehand


class Spec(Protocol):
    """What a directory can belong to: a `RunSpec`, or another spec with an id."""

    @property
    def id(self) -> str: ...

    def to_dict(self) -> dict[str, Any]: ...

    def same_run_as(self, older: Any) -> bool: ...

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> Any: ...


def check_owner(workdir: Path, spec: Spec) -> None:
    """Raise ValueError where the directory belongs to a run that computes something else."""
    if workdir.exists() and not workdir.is_dir():
        raise ValueError(f"--workdir={workdir} is a file: name a directory, new or of this run.")
    path = workdir / CONFIG
    if not path.exists():
        return
    try:
        owner = type(spec).from_dict(read_json(path))
    except ValueError as error:
        raise ValueError(
            f"{path} cannot be read by this version ({error}) so the run cannot be continued: choose another --workdir."
        ) from error
    if not spec.same_run_as(owner):
        raise ValueError(
            f"--workdir={workdir} belongs to run {owner.id}, which differs from this one ({spec.id}) in "
            f"{_differences(owner, spec)}: choose another --workdir, or pass --config={path} to go on with "
            "that run. Nothing was changed."
        )


def recorded(workdir: Path, name: str) -> Any:
    """Return what a JSON file of a run's directory holds; ValueError where that is none, or it is damaged."""
    path = workdir / name
    if not path.is_file():
        raise ValueError(f"{workdir} has no {name}, so it is not the directory of a run: name a --workdir.")
    try:
        return read_json(path)
    except ValueError as error:
        raise ValueError(
            f"{path} cannot be read ({error}): name another run, or train this one anew elsewhere."
        ) from error


def written_row(workdir: Path) -> Row:
    """Return a run's row; ValueError where the directory is no run's, or the run has not ended."""
    if not (workdir / ROW).is_file():
        recorded(workdir, CONFIG)
        raise ValueError(f"{workdir} has no {ROW}, so its run has not ended: train it to its end first.")
    return read_row(workdir / ROW)


def claim(workdir: Path, spec: Spec) -> None:
    """Make the directory this run's; one that is keeps its `config.json`."""
    if not (workdir / CONFIG).exists():
        write_json(workdir / CONFIG, spec.to_dict())


def finished_row(workdir: Path, spec: RunSpec) -> Row | None:
    """Return the row of this very run where it is there and final; ValueError where it is damaged."""
    path = workdir / ROW
    try:
        row = read_row(path) if path.exists() else None
    except ValueError as error:
        raise ValueError(
            f"{str(error).rstrip('.')}: delete it, and the run goes on from its last checkpoint."
        ) from error
    return row if row and row.status in FINAL and row_of({row.id: row}, spec) else None


def row_of(rows: Mapping[str, Row], spec: RunSpec) -> Row | None:
    """Return the row of a run among rows by id.

    One from before data had fingerprints counts where its id is the one that this spec has without, and its
    `data.dir` is the same path.
    """
    if spec.id in rows or not spec.data.fingerprint:
        return rows.get(spec.id)
    older = dataclasses.replace(spec, data=dataclasses.replace(spec.data, fingerprint=""))
    row = rows.get(older.id)
    return row if row and spec.same_run_as(row.spec) else None


def _differences(owner: Spec, spec: Spec) -> str:
    ours, theirs = flatten(spec.to_dict(), "config."), flatten(owner.to_dict(), "config.")
    told = [
        f"{key} ({theirs.get(key)!r} there, {ours[key]!r} here)"
        for key in ours
        if ours[key] != theirs.get(key)
    ]
    return ", ".join(told[:4]) + (f" and {len(told) - 4} more" if len(told) > 4 else "")
