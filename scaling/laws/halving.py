"""Successive halving over training lengths (arXiv 1502.07943): what it keeps, what it saves, what it risks.

Every rung trains from scratch: a learning-rate schedule that is as long as the run cannot be prolonged.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 4000


@dataclass(frozen=True)
class Rung:
    """So many settings, each trained for this share of the full length."""

    settings: int
    fraction: float


def schedule(settings: int, eta: float, rungs: int) -> tuple[Rung, ...]:
    """The rungs from the shortest to the full length: one setting in eta goes on, for eta times as long.

    ValueError where nothing is halved.
    """
    if not (eta > 1 and math.isfinite(eta)) or rungs < 2:
        raise ValueError(
            f"eta={eta} must be above 1 and rungs={rungs} at least 2: each rung trains eta times as long as the "
            "one before and keeps one in eta."
        )
    made = [Rung(settings, eta ** (1 - rungs))]
    for rung in range(1, rungs):
        made.append(Rung(kept(made[-1].settings, eta), eta ** (rung + 1 - rungs)))
    return tuple(made)


def kept(count: int, eta: float) -> int:
    """How many of so many settings go on: one in eta, rounded up."""
    return math.ceil(count / eta - 1e-9)


def best(scores: Sequence[float], count: int) -> list[int]:
    """The indices of the `count` highest scores, the best first; of equal ones the first goes before."""
    return sorted(range(len(scores)), key=lambda i: -scores[i])[:count]


def survivors(scores: Sequence[Sequence[float]], count: int) -> list[int]:
    """The `count` settings with the best means over their runs, in order; one without runs goes out first."""
    return sorted(best([float(np.mean(runs)) if len(runs) else -math.inf for runs in scores], count))


def saving(rungs: Sequence[tuple[int, float]]) -> float:
    """The share that rungs of (settings, length) save of training all settings for the last length.

    Lengths are in any one unit; below 0 the rungs take more.
    """
    spent = sum(settings * length for settings, length in rungs)
    return 1 - spent / (rungs[0][0] * rungs[-1][1])


@dataclass(frozen=True)
class Risk:
    """How well short runs foretell long ones.

    `dropped` is the chance that the best setting of the long runs is not among the `kept` best of the short
    ones; `correlation` is Spearman's, between the means, with its interval at `level`.
    """

    kept: int
    dropped: float
    correlation: float
    interval: tuple[float, float] | None
    level: float


def risk(
    short: Sequence[Sequence[float]],
    full: Sequence[Sequence[float]],
    keep: int,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Risk:
    """Bootstrap both grids, same settings in the same order, and count how often the best one is dropped.

    Runs are resampled as each grid's means plus residuals pooled over its settings. The true means are taken
    to be the observed ones, which lie further apart than true ones do: a lower bound of the risk where
    settings are close. Without repeated runs it is 0 or 1, and the interval is None.
    """
    if len(short) != len(full) or not 0 < keep <= len(full):
        raise ValueError(
            f"{len(short)} short and {len(full)} full settings, {keep} to keep: give the same settings in both, "
            "and keep some of them."
        )
    random = np.random.default_rng(seed)
    short_means, full_means = (_resampled(scores, resamples, random) for scores in (short, full))
    best = np.argmax(full_means, axis=1)
    places = _ranks(-short_means)
    dropped = float(np.mean(places[np.arange(resamples), best] > keep))
    observed = [np.array([[float(np.mean(runs)) for runs in scores]]) for scores in (short, full)]
    interval = None
    if any(len(runs) > 1 for runs in (*short, *full)):
        tails = ((1 - level) / 2, (1 + level) / 2)
        low, high = np.quantile(_spearman(short_means, full_means), tails)
        interval = float(low), float(high)
    return Risk(keep, dropped, float(_spearman(*observed)[0]), interval, level)


def _resampled(scores: Sequence[Sequence[float]], resamples: int, random: np.random.Generator) -> np.ndarray:
    """Means [resample, setting] with residuals drawn from those of all settings, widened to be unbiased."""
    means = np.array([float(np.mean(runs)) for runs in scores])
    residuals = [
        (score - mean) * math.sqrt(len(runs) / (len(runs) - 1))
        for runs, mean in zip(scores, means)
        for score in runs
        if len(runs) > 1
    ] or [0.0]
    noise = [random.choice(residuals, (resamples, len(runs))).mean(1) for runs in scores]
    return means + np.stack(noise, 1)


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks [resample, setting] from 1, the smallest; of equal values the mean rank."""
    below = (values[:, None, :] < values[:, :, None]).sum(2)
    equal = (values[:, None, :] == values[:, :, None]).sum(2)
    return below + (equal + 1) / 2


def _spearman(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Rank correlation of each row; 0 where one of them is constant."""
    a, b = (ranks - ranks.mean(1, keepdims=True) for ranks in (_ranks(a), _ranks(b)))
    scale = np.sqrt((a**2).sum(1) * (b**2).sum(1))
    return np.divide((a * b).sum(1), scale, out=np.zeros(len(a)), where=scale > 0)
