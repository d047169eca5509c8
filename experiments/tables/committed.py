"""Accuracies that somebody trained: the rows committed below `experiments/results`."""

from __future__ import annotations

import functools
import statistics
from collections.abc import Sequence
from pathlib import Path

from experiments.tables.wanted import Wanted, cost
from scaling.reports.build import CSV
from scaling.reports.curve import score_of, validation
from scaling.reports.labels import network
from scaling.reports.study import Study
from scaling.runs.rows import OK, Row
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


# The share of the longest training that a run must have had to stand in a paper's table
WHOLE = 0.9


def find(wanted: Wanted, column: str, results: Path = RESULTS, examples: int = 0) -> list[Row]:
    """Runs of just this network (name unscaled, resolution, parameters) that have the column's score.

    Of several lengths the longest counts, `examples` being that of the config that trains this network: a
    paper's is, and a shorter one is a study of something else.
    """
    found = [
        row
        for one in studies(results)
        for row in one.rows
        if row.status == OK
        and wanted.is_of(network(row), row.dataset, row.resolution, row.spec)
        and row.params == cost(wanted.arch).params
        and score(row, column) is not None
    ]
    most = max((row.examples_seen for row in found), default=0)
    return [row for row in found if row.examples_seen >= WHOLE * max(most, examples)]


def score(row: Row, column: str) -> float | None:
    """The accuracy of a run as a fraction: top-5, or of the validation split, where the column says so."""
    if "top-5" in column:
        return row.metrics.get("test_top5")
    return validation(row) if "validation" in column else score_of(row)


def mean(found: Sequence[Row], column: str) -> float:
    """Mean over runs that have the score."""
    return statistics.fmean(score(row, column) or 0.0 for row in found)


def describe(found: Sequence[Row]) -> str:
    """Who trained: runs, examples seen, device, date of the last."""
    seen = statistics.fmean(row.examples_seen for row in found)
    last = max(found, key=lambda row: row.finished)
    runs = f"{len(found)} run{'s' if len(found) > 1 else ''}"
    return f"{runs} of {seen:.3g} examples, {last.device_kind}, {last.finished[:10]}"
