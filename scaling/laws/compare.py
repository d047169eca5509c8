"""Laws at equal cost: what each predicts for a budget, how much they differ, and how surely."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from scaling.laws.power import Law, interval

Interval = tuple[float, float]


@dataclass(frozen=True)
class Estimate:
    """The error that a law predicts, with its interval; `extrapolated` outside the law's own sizes."""

    error: float
    interval: Interval
    extrapolated: bool


@dataclass(frozen=True)
class Difference:
    """The error of one law less that of another at one cost; below 0 where the one is better.

    `sure` is the share of resamples, each of the one against each of the other, in which the one is
    better, ties by half.
    """

    error: float
    interval: Interval
    sure: float


@dataclass(frozen=True)
class Entry:
    """One law at one budget, and what it differs from the best there by (None for the best itself)."""

    name: str
    estimate: Estimate
    behind: Difference | None


def predict(law: Law, budget: float) -> Estimate:
    """The law's error at a budget, in the unit of its sizes."""
    low, high = law.band([budget])
    bounds = float(low[0]), float(high[0])
    return Estimate(min(float(law.error([budget])[0]), 1.0), bounds, not law.covers(budget))


def difference(one: Law, other: Law, budget: float) -> Difference:
    """Compare two laws at a budget; they come from different runs, so their resamples are independent."""
    value = float(one.error([budget])[0] - other.error([budget])[0])
    pairs = (one.curves([budget]) - other.curves([budget])[:, 0]).ravel()
    low, high = interval(pairs, min(one.level, other.level))
    sure = (pairs < 0).mean() + 0.5 * (pairs == 0).mean()
    return Difference(value, (float(low), float(high)), float(sure))


def at_budget(laws: Mapping[str, Law], budget: float, extrapolate: bool = False) -> list[Entry]:
    """The laws whose sizes cover the budget (all with `extrapolate`), from the least predicted error up."""
    able = [name for name, law in laws.items() if extrapolate or law.covers(budget)]
    estimates = {name: predict(laws[name], budget) for name in able}
    order = sorted(able, key=lambda name: estimates[name].error)
    return [
        Entry(name, estimates[name], difference(laws[name], laws[order[0]], budget) if rank else None)
        for rank, name in enumerate(order)
    ]


def shared_budgets(laws: Sequence[Law], count: int = 3) -> list[float]:
    """Budgets spread evenly by ratio, ends included, over the widest range that the most laws cover.

    None where there are several laws and no two share a budget.
    """
    ends = sorted({end for law in laws for end in (law.smallest, law.largest)})
    covered = [sum(law.covers(end) for law in laws) for end in ends]
    most = max(covered, default=0)
    if most < min(len(laws), 2) or not ends:
        return []
    covers = lambda at: sum(law.covers(at) for law in laws) == most
    ranges: list[list[float]] = []
    for before, end in zip([ends[0], *ends], ends):
        if covers(end):  # goes on where the middle since the end before is covered alike
            whole = ranges and ranges[-1][-1] == before and covers(math.sqrt(before * end))
            ranges = [*ranges[:-1], [*ranges[-1], end]] if whole else [*ranges, [end]]
    widest = max(ranges, key=lambda found: found[-1] / found[0])
    return [float(v) for v in np.unique(np.geomspace(widest[0], widest[-1], count))]
