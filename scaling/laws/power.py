"""Saturating power laws, error = e_inf + a * (x / x_ref)**-b, with bootstrap intervals.

Errors are compared as logarithms, so that 2 % against 1 % weighs as much as 20 % against 10 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scaling.laws.solver import MAX_EXPONENT, evaluate, solve

NAMES = ("e_inf", "a", "b")
# From so many distinct sizes on, the asymptote is fitted; with fewer it is taken as 0.
SATURATING_SIZES = 4
# A flatter curve than this is flat: a hundredfold size would take half a percent off the error.
LEAST_EXPONENT = 1e-3


@dataclass(frozen=True)
class Law:
    """A fitted law. `a` is the reducible error at `x_ref`, the geometric mean of the sizes.

    `intervals` give (low, high) of e_inf, a and b at `level`; None where the points leave no freedom
    to judge by. `samples` are the bootstrap's parameters, one row each (e_inf, a, b).
    """

    e_inf: float
    a: float
    b: float
    x_ref: float
    sizes: int
    points: int
    level: float
    samples: np.ndarray
    intervals: dict[str, tuple[float, float]] | None

    @property
    def saturating(self) -> bool:
        """Whether the asymptote was fitted; otherwise e_inf is 0 by assumption."""
        return self.sizes >= SATURATING_SIZES

    def error(self, x: Sequence[float] | np.ndarray) -> np.ndarray:
        """The error that the law gives at each x."""
        return self._curves(np.array([[self.e_inf, self.a, self.b]]), x)[0]

    def band(self, x: Sequence[float] | np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """The interval (low, high) of the law at each x, at `level`; None without intervals."""
        if self.intervals is None:
            return None
        low, high = np.quantile(self._curves(self.samples, x), _tails(self.level), axis=0)
        return low, np.minimum(high, 1.0)

    def _curves(self, samples: np.ndarray, x: Sequence[float] | np.ndarray) -> np.ndarray:
        e_inf, a, b = samples.T[..., None]
        return e_inf + a * np.exp(-b * np.log(np.asarray(x, float) / self.x_ref))


def fit(
    x: Sequence[float],
    error: Sequence[float],
    floor: float,
    seed: int = 0,
    resamples: int = 200,
    level: float = 0.9,
) -> Law | None:
    """Fit a law to runs of sizes `x` with errors in [0, 1]; several runs may share a size (seeds).

    Errors below `floor` count as `floor`, the smallest that the test set can tell from 0. With two or
    three distinct sizes e_inf is 0. None, no law, with one size, or where the error does not fall.
    """
    x_all, y_all = np.asarray(x, float), np.maximum(np.asarray(error, float), floor)
    if x_all.size and x_all.min() <= 0:
        raise ValueError(
            f"a power law needs sizes above 0, got {x_all.min()}: leave out runs that were not counted."
        )
    distinct, group = np.unique(x_all, return_inverse=True)
    if len(distinct) < 2:
        return None
    x_ref = float(np.exp(np.log(distinct).mean()))
    free_asymptote = len(distinct) >= SATURATING_SIZES
    log_x, log_y = np.log(x_all / x_ref), np.log(y_all)
    starts = _starts(log_x, y_all, free_asymptote)
    found, losses = solve(log_x, np.tile(log_y, (len(starts), 1)), starts, free_asymptote)
    best = found[np.argmin(losses)]
    if best[2] < LEAST_EXPONENT:
        return None
    fitted = np.log(evaluate(best[None], log_x))[0]
    noise = _draws(log_y - fitted, group, 2 + free_asymptote, resamples, seed)
    samples, _ = solve(log_x, fitted + noise, np.tile(best, (len(noise), 1)), free_asymptote)
    return Law(
        *(float(v) for v in _natural(best)),
        x_ref=x_ref,
        sizes=len(distinct),
        points=x_all.size,
        level=level,
        samples=_natural(samples),
        intervals=_intervals(_natural(samples), level) if len(samples) else None,
    )


def _natural(theta: np.ndarray) -> np.ndarray:
    """(e_inf, log a, b) -> (e_inf, a, b), along the last axis."""
    return np.stack([theta[..., 0], np.exp(theta[..., 1]), theta[..., 2]], -1)


def _starts(log_x: np.ndarray, y: np.ndarray, free_asymptote: bool) -> np.ndarray:
    """Guesses (e_inf, log a, b): for asymptotes below the smallest error, the straight line in log-log."""
    starts = []
    for share in (0.0, 0.5, 0.9, 0.99) if free_asymptote else (0.0,):
        e_inf = share * y.min()
        slope, intercept = np.polyfit(log_x, np.log(y - e_inf), 1)
        starts.append([e_inf, intercept, np.clip(-slope, 0.05, 0.9 * MAX_EXPONENT)])
    return np.array(starts)


def _draws(residual: np.ndarray, group: np.ndarray, parameters: int, resamples: int, seed: int) -> np.ndarray:
    """Noise [resample, run] of the bootstrap, in log error; no rows where nothing is left to judge by.

    Two components, as in an analysis of variance: between sizes (how far the law misses the means,
    with sizes - parameters degrees of freedom) and within a size (seeds, runs - sizes). Each resample
    draws its variances too, so that few points give wide intervals and not narrow ones.
    """
    counts = np.bincount(group)
    means = np.bincount(group, residual) / counts
    inner = residual - means[group]
    between_free, within_free = len(counts) - parameters, len(residual) - len(counts)
    if between_free + within_free <= 0:
        return np.empty((0, len(residual)))
    within = (inner**2).sum() / within_free if within_free else 0.0
    between = (means**2).sum() / between_free - within * (1 / counts).mean() if between_free else 0.0
    random = np.random.default_rng(seed)

    def component(variance: float, free: int, size: int) -> np.ndarray:
        scale = np.sqrt(max(variance, 0.0) * free / random.chisquare(free, (resamples, 1)))
        return scale * random.standard_normal((resamples, size))

    noise = (
        component(within, within_free, len(residual)) if within_free else np.zeros((resamples, len(residual)))
    )
    if between_free:
        noise = noise + component(between, between_free, len(counts))[:, group]
    return np.clip(noise, -3.0, 3.0)


def _intervals(samples: np.ndarray, level: float) -> dict[str, tuple[float, float]]:
    low, high = np.quantile(samples, _tails(level), axis=0)
    return {name: (float(low[i]), float(high[i])) for i, name in enumerate(NAMES)}


def _tails(level: float) -> tuple[float, float]:
    return (1 - level) / 2, (1 + level) / 2
