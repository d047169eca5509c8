"""Accuracies that somebody trained: the rows committed below `experiments/results`."""

from __future__ import annotations

import functools
import statistics
from collections.abc import Sequence
from pathlib import Path

from scaling.arch.arch import Arch
from scaling.reports.build import CSV
from scaling.reports.curve import score_of
from scaling.reports.labels import network
from scaling.reports.study import Study
from scaling.runs.rows import Row
from scaling.runs.rows_csv import read_csv

RESULTS = Path(__file__).resolve().parent.parent / "results"


@functools.cache
def studies(results: Path = RESULTS) -> tuple[Study, ...]:
    """All studies; ValueError, naming file and line, where a row is damaged."""
    return tuple(study(path.parent.name, results) for path in sorted(results.glob(f"*/{CSV}")))


def study(name: str, results: Path = RESULTS) -> Study:
    """One study; an empty one where it is not there, ValueError where a row is damaged."""
    path = results / name / CSV
    if not path.is_file():
        return Study()
    rows, problems = read_csv(path)
    if problems:
        raise ValueError(f"{problems[0]} Restore the file: a committed row is never lost.")
    return Study(tuple(rows))


def find(arch: Arch, dataset: str, params: int, results: Path = RESULTS) -> list[Row]:
    """The scored runs of just this network: its name unscaled, its resolution, and as many parameters."""
    return [
        row
        for one in studies(results)
        for row in one.drawn
        if network(row) == base(arch)
        and (row.dataset, row.resolution, row.params) == (dataset, arch.resolution, params)
    ]


def mean(found: Sequence[Row], column: str) -> float:
    """Mean test accuracy over the runs, as a fraction: top-5 where the column is called so."""
    if "top-5" in column:
        return statistics.fmean(row.metrics.get("test_top5") or 0.0 for row in found)
    return statistics.fmean(score_of(row) or 0.0 for row in found)


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
