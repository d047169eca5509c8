"""Accuracies that somebody trained: the rows committed below `experiments/results`."""

from __future__ import annotations

import functools
import statistics
from collections.abc import Sequence
from pathlib import Path

from scaling.arch.arch import Arch
from scaling.reports.curve import accuracy, drawn, network
from scaling.reports.table import from_csv
from scaling.runs.rows import Row

RESULTS = Path(__file__).resolve().parent.parent / "results"


@functools.cache
def rows(results: Path = RESULTS) -> tuple[Row, ...]:
    """All rows of all studies; ValueError, naming file and line, where one is damaged."""
    return tuple(row for path in sorted(results.glob("*/rows.csv")) for row in from_csv(path.read_text()))


def study(name: str, results: Path = RESULTS) -> list[Row]:
    """The rows of one study; none where it is not there."""
    path = results / name / "rows.csv"
    return from_csv(path.read_text()) if path.is_file() else []


def find(arch: Arch, dataset: str, params: int, results: Path = RESULTS) -> list[Row]:
    """The scored runs of just this network: its name unscaled, its resolution, and as many parameters."""
    return [
        row
        for row in drawn(rows(results))
        if network(row) == base(arch)
        and (row.dataset, row.resolution, row.params) == (dataset, arch.resolution, params)
    ]


def mean(found: Sequence[Row], column: str) -> float:
    """Mean test accuracy over the runs, as a fraction: top-5 where the column is called so."""
    if "top-5" in column:
        return statistics.fmean(row.test_top5 or 0.0 for row in found)
    return statistics.fmean(accuracy(row) or 0.0 for row in found)


def describe(found: Sequence[Row]) -> str:
    """Who trained: runs, examples seen, device, date of the last."""
    seen = statistics.fmean(row.examples_seen for row in found)
    last = max(found, key=lambda row: row.finished)
    runs = f"{len(found)} run{'s' if len(found) > 1 else ''}"
    return f"{runs} of {seen:.3g} examples, {last.device_kind}, {last.finished[:10]}"


def base(arch: Arch) -> str:
    """The zoo's name of a network, which rules extend by what they did."""
    return arch.name.partition(" ")[0]


def command(arch: Arch, dataset: str, factors: Sequence[float] = ()) -> str:
    """The command whose row fills an empty cell; `factors` of depth, width and resolution, where scaled."""
    overrides = [f"model.name={base(arch)}", f"data.name={dataset}"]
    axes = zip(("depth", "width", "resolution"), factors)
    scaled = [f"model.{axis}={factor:.6g}" for axis, factor in axes if factor != 1]
    overrides += ["model.rule=axes", *scaled] if scaled else []
    flags = " ".join(f"--config.{override}" for override in overrides)
    return (
        f"python -m experiments.train --config=RECIPE.py {flags} --workdir=runs/{arch.name.replace(' ', '_')}"
    )
