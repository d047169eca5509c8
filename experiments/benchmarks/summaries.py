"""What follows from a section's rows: sums over a network, the fastest peer, growth with depth."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from experiments.benchmarks.rows import Measurement
from experiments.benchmarks.sections import EAGER

WARM = "ours, warm cache"


def operators(rows: Sequence[Measurement]) -> list[str]:
    """Times summed over a network, each shape as often as the network meets it; and the worst shape."""
    lines = []
    for (model, op, mode, peer), group in _grouped(rows, lambda r: (r.model, _op(r), r.mode, r.peer)):
        ours = sum(row.times * row.ours for row in group)
        theirs = sum(row.times * row.theirs for row in group)
        worst = min(group, key=lambda row: row.ratio)
        lines.append(
            f"{model}, {op}, {mode}: ours {1e3 * ours:.1f} ms, {peer} {1e3 * theirs:.1f} ms in total over "
            f"{len(group)} shapes, ratio {theirs / ours:.2f}; the worst shape {worst.ratio:.2f} ({worst.case})"
        )
    return lines


def steps(rows: Sequence[Measurement]) -> list[str]:
    """Images a second, and the ratio to the fastest eager form of PyTorch."""
    lines = []
    eager = [row for row in rows if row.peer in EAGER]
    for (model, mode, batch, side), group in _grouped(
        eager, lambda r: (r.model, r.mode, r.batch, r.resolution)
    ):
        best = min(group, key=lambda row: row.theirs)
        lines.append(
            f"{model} at {side} px, batch {batch}, {mode}: {batch / best.ours:.1f} images/s, "
            f"{best.ratio:.2f} times the fastest eager PyTorch ({best.peer}, {batch / best.theirs:.1f})"
        )
    return lines


def compiling(rows: Sequence[Measurement]) -> list[str]:
    """Cold time over that of the family's shallowest network, and the warm share of the cold time."""
    lines = []
    warm = [row for row in rows if row.peer == WARM]
    for (family,), group in _grouped(warm, lambda r: (re.sub(r"\d+$", "", r.model),)):
        first = group[0]
        lines += [
            f"{row.model}: {row.ours / first.ours:.2f} times {first.model}; "
            f"with a warm cache {row.ratio:.0%} of the cold time"
            for row in group
        ]
        del family
    return lines


def devices(rows: Sequence[Measurement]) -> list[str]:
    """Images a second of either engine, against one device; and what a step all-reduces."""
    lines = []
    for (model, mode), group in _grouped(rows, lambda r: (r.model, r.mode)):
        first = group[0]
        for row in group:
            times = int(row.case.split(" ")[0])
            rates = [row.batch / row.ours, row.batch / row.theirs]
            shares = [
                rate / times * seconds / first.batch
                for rate, seconds in zip(rates, (first.ours, first.theirs))
            ]
            reduced = row.ours_facts.get("all_reduced_bytes", 0) / 1e6
            lines.append(
                f"{model}, {mode}, {row.case}: {rates[0]:.1f} images/s by pmap ({shares[0]:.0%} of {times} times one "
                f"device), {rates[1]:.1f} by jit ({shares[1]:.0%}); {reduced:.1f} MB all-reduced a step"
            )
    return lines


def none(rows: Sequence[Measurement]) -> list[str]:
    del rows
    return []


SUMMARIES: dict[str, Callable[[Sequence[Measurement]], list[str]]] = {
    "operators": operators,
    "steps": steps,
    "dense": none,
    "compile": compiling,
    "loader": none,
    "memory": none,
    "epoch": none,
    "devices": devices,
}


def _op(row: Measurement) -> str:
    return row.case.split(" ")[0]


def _grouped(
    rows: Sequence[Measurement], key: Callable[[Measurement], tuple]
) -> Iterable[tuple[tuple, list[Measurement]]]:
    """Measured rows by key, in order of appearance."""
    groups: dict[tuple, list[Measurement]] = {}
    for row in rows:
        if row.ratio is not None:
            groups.setdefault(key(row), []).append(row)
    return groups.items()
