"""Which of several settings is best, from a few runs of each: means, margins, and what can be told apart.

All settings are taken to vary alike from run to run, so that a few runs of each make one estimate of that
spread (pooled, as in an analysis of variance). Margins are Tukey's: all pairs hold at once, so a margin over
the runner-up is honest though the data chose which two to compare (Kramer's form where counts differ).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LEVEL = 0.95
DRAWS = 200_000  # of a simulated quantile; its own error is below half a percent of it


@dataclass(frozen=True)
class Margin:
    """How much better one setting is than another; `low` and `high` are None without repeated runs."""

    value: float
    low: float | None
    high: float | None

    @property
    def separable(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


@dataclass(frozen=True)
class Ranking:
    """Settings by mean score, `order[0]` the best.

    `deviation` is the standard deviation between runs of one setting, pooled over settings with `freedom`
    degrees of freedom; None where no setting has two runs.
    """

    means: tuple[float, ...]
    counts: tuple[int, ...]
    order: tuple[int, ...]
    deviation: float | None
    freedom: int
    level: float

    def half_width(self, i: int) -> float | None:
        """Half the t interval of one mean at `level`; None without a deviation."""
        if self.deviation is None:
            return None
        t = studentized_range(2, self.freedom, self.level) / math.sqrt(2)
        return t * self.deviation / math.sqrt(self.counts[i])

    def margin(self, i: int, j: int) -> Margin:
        """Mean of i minus mean of j, with its interval among all pairs at `level`."""
        value = self.means[i] - self.means[j]
        if self.deviation is None:
            return Margin(value, None, None)
        quantile = studentized_range(len(self.means), self.freedom, self.level)
        half = quantile * self.deviation * math.sqrt((1 / self.counts[i] + 1 / self.counts[j]) / 2)
        return Margin(value, value - half, value + half)

    @property
    def separable(self) -> list[tuple[int, int]]:
        """All pairs (better, worse) that can be told apart, from the best on."""
        pairs = ((i, j) for place, i in enumerate(self.order) for j in self.order[place + 1 :])
        return [(i, j) for i, j in pairs if self.margin(i, j).separable]


def rank(scores: Sequence[Sequence[float]], level: float = LEVEL) -> Ranking:
    """Rank settings by the mean of their runs' scores; ValueError for fewer than two, or one without runs."""
    if len(scores) < 2 or not all(len(runs) for runs in scores):
        counts = [len(runs) for runs in scores]
        raise ValueError(f"a ranking needs two settings or more with a run each, got runs {counts}.")
    if not 0 < level < 1:
        raise ValueError(f"level={level} must lie between 0 and 1, as 0.95 does.")
    means = [float(np.mean(runs)) for runs in scores]
    freedom = sum(len(runs) - 1 for runs in scores)
    squares = sum(float(np.sum((np.asarray(runs) - mean) ** 2)) for runs, mean in zip(scores, means))
    return Ranking(
        means=tuple(means),
        counts=tuple(len(runs) for runs in scores),
        order=tuple(sorted(range(len(means)), key=lambda i: -means[i])),
        deviation=math.sqrt(squares / freedom) if freedom else None,
        freedom=freedom,
        level=level,
    )


@functools.cache
def studentized_range(settings: int, freedom: int, level: float) -> float:
    """The quantile at `level` of (largest - smallest of so many normal means) / (their estimated deviation).

    Simulated with a seed of its own. That of two settings is sqrt(2) times Student's t, two-sided.
    """
    random = np.random.default_rng(settings)
    spread = np.ptp(random.standard_normal((DRAWS, settings)), axis=1)
    estimated = np.sqrt(random.chisquare(freedom, DRAWS) / freedom)
    return float(np.quantile(spread / estimated, level))


def exponent(macs: float, error: float, more_macs: float, less_error: float) -> float:
    """The b of error ~ MACs**-b through two sizes; ValueError unless both figures are of two real sizes."""
    if not (macs > 0 and more_macs > 0 and error > 0 and less_error > 0) or macs == more_macs:
        raise ValueError(
            f"errors {error:.6g} at {macs:.6g} MACs and {less_error:.6g} at {more_macs:.6g} make no power law: give "
            "two different sizes and errors above 0."
        )
    return math.log(error / less_error) / math.log(more_macs / macs)


def at_macs(score: float, macs: float, target: float, b: float) -> float:
    """The accuracy that a network of `macs` would have at `target` multiply-adds, by error ~ MACs**-b."""
    return 1 - (1 - score) * (macs / target) ** b
