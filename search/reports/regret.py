"""The anytime curve: the best that searches have seen, against what they have spent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from scaling.laws import pareto
from search.reports.source import FinishedSearch

EARLY = 0.05  # the share of a search in which it may be below what is shown
MOST_OBJECTIVES = 2  # that a hypervolume is computed of

AXES = {"evaluations": "Evaluations", "seconds": "Cost (seconds of one device)"}

Measure = Callable[
    [FinishedSearch], np.ndarray
]  # the best so far after each record [T], -inf where there is none


@dataclass(frozen=True)
class Curve:
    """A mean over searches [n] where they stand at x [n], and one standard deviation on either side.

    Between two x the value is that at the first. `searches` is how many they are; of one there is no band.
    """

    x: np.ndarray
    mean: np.ndarray
    deviation: np.ndarray
    searches: int


def spent(search: FinishedSearch, axis: str) -> np.ndarray:
    """What a search had spent after each record, on an axis of `AXES`."""
    if axis == "evaluations":
        return np.arange(1.0, 1 + len(search.records))
    return np.cumsum([record.cost for record in search.records])


def measure(searches: Sequence[FinishedSearch]) -> tuple[str, Measure] | None:
    """What is best so far, in words and as a function: the reward or, of two objectives, the hypervolume.

    The hypervolume is over the worst finite rewards of all searches. None for more objectives.
    """
    objectives = searches[0].objectives
    if objectives == 1:
        return "Best reward so far", best_reward
    if objectives > MOST_OBJECTIVES:
        return None
    finite = [r.rewards for s in searches for r in s.contenders if None not in r.rewards]
    worst = np.array(finite, float).min(0) if finite else np.zeros(objectives)
    return "Hypervolume so far", lambda search: dominated(search, worst)


def best_reward(search: FinishedSearch) -> np.ndarray:
    """The highest reward up to each record [T]."""
    compared = {record.index for record in search.contenders}
    return np.maximum.accumulate([r.reward if r.index in compared else -np.inf for r in search.records])


def dominated(search: FinishedSearch, worst: np.ndarray) -> np.ndarray:
    """The area over `worst` that the rewards up to each record dominate [T]."""
    compared = {record.index for record in search.contenders}
    best: list[tuple[float, ...]] = []
    areas = []
    for record in search.records:
        new = tuple(-np.inf if reward is None else reward for reward in record.rewards)
        if record.index in compared and np.isfinite(new).all() and new not in best:
            met = [*best, new]
            best = [met[i] for i in pareto.front(*_cost_and_value(met))]
        area = pareto.hypervolume(*_cost_and_value(best), -worst[0], worst[1]) if best else -np.inf
        areas.append(area)
    return np.array(areas)


def _cost_and_value(rewards: Sequence[tuple[float, ...]]) -> tuple[list[float], list[float]]:
    """Pairs of rewards as a front takes them: the first as a cost, its sign turned."""
    return [-first for first, _ in rewards], [second for _, second in rewards]


def curve(searches: Sequence[FinishedSearch], axis: str, best: Measure) -> Curve | None:
    """The mean over searches, from where each has found something to where the first of them ends.

    None where one has found nothing, or where nothing was spent on this axis.
    """
    x, y = [spent(search, axis) for search in searches], [best(search) for search in searches]
    if not all(np.isfinite(one[-1]) for one in y) or not all(one[-1] > 0 for one in x):
        return None
    start = max(one[np.isfinite(found)][0] for one, found in zip(x, y))
    end = min(one[-1] for one in x)
    steps = np.unique(np.concatenate([[start, max(start, end)], *map(_changes, x, y)]))
    at = steps[(steps >= start) & (steps <= max(start, end))]
    values = np.stack([found[np.searchsorted(one, at, "right") - 1] for one, found in zip(x, y)])
    deviation = values.std(0, ddof=1) if len(searches) > 1 else np.zeros(len(at))
    return Curve(at, values.mean(0), deviation, len(searches))


def shown_range(curves: Sequence[Curve]) -> tuple[float, float]:
    """The heights to show: of the curves after their first steps, not of every bad evaluation."""
    ends = [(c, max(0, int(np.searchsorted(c.x, EARLY * c.x[-1], "right")) - 1)) for c in curves]
    low = min((c.mean - c.deviation)[i:].min() for c, i in ends)
    high = max((c.mean + c.deviation)[i:].max() for c, i in ends)
    room = 0.08 * (high - low) or 0.05 * abs(high) or 1.0
    return float(low - room), float(high + room)


def _changes(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The x at which a best so far changes, and the last."""
    return x[np.append(np.flatnonzero(y > np.append(-np.inf, y[:-1])), len(x) - 1)]
