"""Saturating power laws, error = e_inf + a * (x / x_ref)**-b, with bootstrap intervals.

Errors are compared as logarithms, so that 2 % against 1 % weighs as much as 20 % against 10 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scaling.laws.noise import deviations, draws
from scaling.laws.solver import MAX_EXPONENT, evaluate, solve

NAMES = ("e_inf", "a", "b")
# From so many distinct sizes on, the asymptote is fitted; with fewer it is taken as 0.
SATURATING_SIZES = 4
LEVEL = 0.95
# A flatter curve than this is flat: a hundredfold size would take half a percent off the error.
LEAST_EXPONENT = 1e-3
AT_BOUND = 1e-3  # a fit that ends this part of the way from the bound has not found its exponent


@dataclass(frozen=True)
class Law:
    """A fitted law. `a` is the reducible error at `x_ref`, the geometric mean of the sizes.

    `intervals` give (low, high) of e_inf, a and b at `level`. `samples` are the bootstrap's parameters, one
    row each (e_inf, a, b), and `deviations` the standard deviations of log error that it drew (between sizes,
    within a size).
    """

    e_inf: float
    a: float
    b: float
    x_ref: float
    smallest: float
    largest: float
    sizes: int
    points: int
    level: float
    samples: np.ndarray
    deviations: np.ndarray
    intervals: dict[str, tuple[float, float]]

    @property
    def saturating(self) -> bool:
        """Whether the asymptote was fitted; otherwise e_inf is 0 by assumption."""
        return self.sizes >= SATURATING_SIZES

    def covers(self, x: float) -> bool:
        """Whether x lies within the sizes that the law was fitted to."""
        tolerance = 1 + 1e-9
        return self.smallest <= x * tolerance and x <= self.largest * tolerance

    def error(self, x: Sequence[float] | np.ndarray) -> np.ndarray:
        """The error that the law gives at each x."""
        return self._curves(np.array([[self.e_inf, self.a, self.b]]), x)[0]

    def band(self, x: Sequence[float] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The interval (low, high) of the law at each x, at `level`."""
        low, high = interval(self.curves(x), self.level)
        return low, np.minimum(high, 1.0)

    def curves(self, x: Sequence[float] | np.ndarray) -> np.ndarray:
        """The bootstrap's errors [resample, x]."""
        return self._curves(self.samples, x)

    def _curves(self, samples: np.ndarray, x: Sequence[float] | np.ndarray) -> np.ndarray:
        e_inf, a, b = samples.T[..., None]
        return e_inf + a * np.exp(-b * np.log(np.asarray(x, float) / self.x_ref))


@dataclass(frozen=True)
class NoLaw:
    """Why runs have no law, as the end of a sentence."""

    why: str


def fit(
    x: Sequence[float] | np.ndarray,
    error: Sequence[float] | np.ndarray,
    floor: float,
    seed: int = 0,
    resamples: int = 200,
    level: float = LEVEL,
) -> Law | NoLaw:
    """Fit a law to runs of sizes `x` with errors in [0, 1]; several runs may share a size (seeds).

    Errors below `floor` count as `floor`, the smallest that the test set can tell from 0. With two or
    three distinct sizes e_inf is 0. No law with one size, with no more runs than parameters, where the error
    does not fall, may as well not fall, or falls as no power law of an exponent below `MAX_EXPONENT` does.
    """
    x_all, y_all = np.asarray(x, float), np.maximum(np.asarray(error, float), floor)
    if x_all.size and x_all.min() <= 0:
        raise ValueError(
            f"a power law needs sizes above 0, got {x_all.min()}: leave out runs that were not counted."
        )
    distinct, group = np.unique(x_all, return_inverse=True)
    if len(distinct) < 2:
        return NoLaw(f"it takes two sizes or more, there {_are(len(distinct))}")
    x_ref = float(np.exp(np.log(distinct).mean()))
    free_asymptote = len(distinct) >= SATURATING_SIZES
    parameters = 2 + free_asymptote
    if x_all.size <= parameters:
        return NoLaw(
            f"{x_all.size} runs leave nothing to judge its {parameters} parameters by: add seeds or sizes"
        )
    log_x, log_y = np.log(x_all / x_ref), np.log(y_all)
    starts = _starts(log_x, y_all, free_asymptote)
    found, losses = solve(log_x, np.tile(log_y, (len(starts), 1)), starts, free_asymptote)
    best = found[np.argmin(losses)]
    if best[2] < LEAST_EXPONENT:
        return NoLaw("over these sizes the error does not fall")
    if best[2] > MAX_EXPONENT * (1 - AT_BOUND):
        return NoLaw(
            f"the error falls more steeply than any exponent up to {MAX_EXPONENT:g}: add sizes or seeds"
        )
    fitted = np.log(evaluate(best[None], log_x))[0]
    random = np.random.default_rng(seed)
    deviation = deviations(log_y - fitted, group, parameters, resamples, random)
    noisy = fitted + draws(deviation, group, random)
    samples, _ = solve(log_x, noisy, np.tile(best, (len(noisy), 1)), free_asymptote)
    intervals = _intervals(_natural(samples), level)
    low, high = intervals["b"]
    if low < LEAST_EXPONENT:
        return NoLaw(f"its exponent may be anything from 0 to {high:.2f}: add sizes or seeds")
    return Law(
        *(float(v) for v in _natural(best)),
        x_ref=x_ref,
        smallest=float(distinct[0]),
        largest=float(distinct[-1]),
        sizes=len(distinct),
        points=x_all.size,
        level=level,
        samples=_natural(samples),
        deviations=deviation,
        intervals=intervals,
    )


def interval(samples: np.ndarray, level: float) -> np.ndarray:
    """The (low, high) of samples along their first axis that leave out 1 - level, half on each side.

    A quantile p is the (n + 1) p-th of n samples: interpolation among them alone would be too narrow.
    """
    return np.quantile(samples, ((1 - level) / 2, (1 + level) / 2), axis=0, method="weibull")


def _are(count: int) -> str:
    return f"is {count}" if count == 1 else f"are {count}"


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


def _intervals(samples: np.ndarray, level: float) -> dict[str, tuple[float, float]]:
    low, high = interval(samples, level)
    return {name: (float(low[i]), float(high[i])) for i, name in enumerate(NAMES)}
