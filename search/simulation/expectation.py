"""What random search finds on average, exactly: order statistics of a table, no simulation."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Expectation(NamedTuple):
    """Mean and standard deviation of what one random search reports."""

    mean: float
    deviation: float


def random_search(
    signal: np.ndarray, report: np.ndarray, evaluations: int, replace: bool = True
) -> Expectation:
    """The report [size] of the point with the best signal [size] among so many drawn at random.

    Of points with equal signals the first drawn is reported: any of them, with equal probability.
    ValueError where more points are to be drawn without replacement than there are.
    """
    if evaluations < 1 or (not replace and evaluations > len(signal)):
        raise ValueError(
            f"evaluations={evaluations} must be at least 1 and, without replacement, at most {len(signal)}."
        )
    _, of_level, ties = np.unique(signal, return_inverse=True, return_counts=True)
    at_most = np.cumsum(ties)
    below = _all_drawn_among(at_most, evaluations, replace)
    chance = np.diff(below, prepend=0.0)
    mean = np.bincount(of_level, report) / ties @ chance
    variance = np.bincount(of_level, (report - mean) ** 2) / ties @ chance
    return Expectation(float(mean), float(np.sqrt(variance)))


def _all_drawn_among(subset: np.ndarray, evaluations: int, replace: bool) -> np.ndarray:
    """The probability that all draws fall into a subset of so many points."""
    size = subset[-1]
    if replace:
        return (subset / size) ** evaluations
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, size + 1)))])  # of factorials
    left = np.maximum(subset - evaluations, 0)
    chance = np.exp(logs[subset] - logs[left] - logs[size] + logs[size - evaluations])
    return np.where(subset >= evaluations, chance, 0.0)
