"""Which points are worth their cost: the one place on the host that says what dominates what.

Inside a compiled search the same fronts are computed of arrays, by `search.strategies.nsga2`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def front(cost: Sequence[float], value: Sequence[float]) -> list[int]:
    """Indices of the points that no other beats (costs no more, is worth no less, and not both equal).

    In the order of cost; equal points are all on the front or all off it.
    """
    if len(cost) != len(value):
        raise ValueError(f"a Pareto front needs as many costs as values, got {len(cost)} and {len(value)}.")
    order = np.lexsort((-np.asarray(value, float), np.asarray(cost, float)))
    chosen: list[int] = []
    for i in order:
        if not chosen or value[i] > value[chosen[-1]] or _equal(cost, value, i, chosen[-1]):
            chosen.append(int(i))
    return chosen


def fronts(rewards: np.ndarray) -> np.ndarray:
    """Of each row of [N, M], all columns the higher the better, its front [N], an int.

    It is 0 where no row dominates it (nowhere worse, somewhere better), 1 where only rows of front 0 do,
    and so on.
    """
    order = np.lexsort(-rewards.T)  # what dominates a row stands before it
    ranked, numbers = rewards[order], np.zeros(len(rewards), int)
    for i, row in enumerate(ranked):
        above = ranked[:i]
        beaten = (above >= row).all(1) & (above > row).any(1)
        numbers[i] = 1 + numbers[:i].max(where=beaten, initial=-1)
    return numbers[np.argsort(order)]


def hypervolume(cost: Sequence[float], value: Sequence[float], most_cost: float, least_value: float) -> float:
    """The area that the points dominate within the corner (most_cost, least_value).

    In units of cost times value; 0 where no point lies within.
    """
    area, left = 0.0, most_cost
    for i in reversed(front(cost, value)):
        if cost[i] < left and value[i] > least_value:
            area += (left - cost[i]) * (value[i] - least_value)
            left = cost[i]
    return area


def _equal(cost: Sequence[float], value: Sequence[float], i: int, j: int) -> bool:
    return cost[i] == cost[j] and value[i] == value[j]
