"""How good estimates were: what dry runs said of runs, beside what the runs took."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from scaling.reports.labels import network, size_label
from scaling.reports.units import duration, si
from scaling.runs.rows import OK, Row

WITHIN_TIME, WITHIN_MEMORY = 0.3, 0.2  # what an estimate is called good for
HEADS = ("network", "size", "seed", "time", "estimated", "×", "memory", "estimated", "×")


def judged(rows: Sequence[Row]) -> list[Row]:
    """The finished runs whose rows hold an estimate beside what it is of, smaller networks first."""
    found = [
        row
        for row in rows
        if row.status == OK
        and row.seconds
        and row.peak_memory
        and row.estimated_seconds
        and row.estimated_memory
    ]
    return sorted(found, key=lambda row: (row.arch_name, row.macs, row.seed))


def told(rows: Sequence[Row]) -> list[str]:
    """A line for time and one for memory, and a table of the runs; nothing where no row has an estimate."""
    if not (found := judged(rows)):
        return []
    return [
        f"- {_summary('time', [_time(row) for row in found], WITHIN_TIME)}",
        f"- {_summary('memory', [_memory(row) for row in found], WITHIN_MEMORY)}",
        "",
        f"| {' | '.join(HEADS)} |",
        "|" + " --- |" * 2 + " ---: |" * (len(HEADS) - 2),
        *(f"| {' | '.join(_cells(row))} |" for row in found),
    ]


def _time(row: Row) -> float:
    return (row.estimated_seconds or 0.0) / (row.seconds or 1.0)


def _memory(row: Row) -> float:
    return (row.estimated_memory or 0) / (row.peak_memory or 1)


def _summary(what: str, ratios: Sequence[float], within: float) -> str:
    """Estimated over measured in words."""
    near = sum(abs(ratio - 1) <= within for ratio in ratios)
    return (
        f"{what}: estimates are {min(ratios):.2f} to {max(ratios):.2f} times what was measured, median "
        f"{statistics.median(ratios):.2f}; {near} of {len(ratios)} within {within:.0%}"
    )


def _cells(row: Row) -> list[str]:
    return [
        network(row),
        size_label(row),
        str(row.seed),
        duration(row.seconds),
        duration(row.estimated_seconds),
        f"{_time(row):.2f}",
        f"{si(row.peak_memory)}B",
        f"{si(row.estimated_memory)}B",
        f"{_memory(row):.2f}",
    ]
