"""Held-out extrapolation: fit a law to the small sizes, predict the large ones, say how far off it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scaling.laws.power import LEVEL, Law, NoLaw, fit, interval


@dataclass(frozen=True)
class Prediction:
    """One held-out size: what the law of the smaller ones says of its runs, and what they gave.

    Errors in [0, 1]; `observed` is the geometric mean of `runs` runs, which is what a law of logarithms
    predicts. `interval` is for that mean: the law's own and the noise of so many runs.
    """

    x: float
    runs: int
    predicted: float
    interval: tuple[float, float]
    observed: float

    @property
    def miss(self) -> float:
        """Observed less predicted: above 0 where the law promised too much."""
        return self.observed - self.predicted

    @property
    def held(self) -> bool:
        """Whether the interval holds what was observed."""
        return self.interval[0] <= self.observed <= self.interval[1]


def hold_out(
    x: Sequence[float],
    error: Sequence[float],
    floor: float,
    largest: int = 1,
    seed: int = 0,
    resamples: int = 200,
    level: float = LEVEL,
) -> tuple[Law | NoLaw, list[Prediction]]:
    """Fit the runs of all but the `largest` sizes, and predict those, smallest first.

    Arguments as in `power.fit`. No prediction where the small sizes have no law.

    Raises:
      ValueError: where fewer than two sizes are left to fit.
    """
    x_all, y_all = np.asarray(x, float), np.maximum(np.asarray(error, float), floor)
    distinct = np.unique(x_all)
    if largest < 1 or len(distinct) - largest < 2:
        raise ValueError(
            f"holding out {largest} of {len(distinct)} sizes leaves no law: hold out at least 1 and leave 2."
        )
    small = x_all < distinct[-largest]
    law = fit(x_all[small].tolist(), y_all[small].tolist(), floor, seed, resamples, level)
    if isinstance(law, NoLaw):
        return law, []
    # A stream of its own, apart from the fit's.
    random = np.random.default_rng([seed, 1])
    return law, [_predict(law, size, y_all[x_all == size], random) for size in distinct[-largest:]]


def _predict(law: Law, size: float, errors: np.ndarray, random: np.random.Generator) -> Prediction:
    between, within = law.deviations.T
    deviation = np.sqrt(between**2 + within**2 / len(errors))
    means = law.curves([size])[:, 0] * np.exp(deviation * random.standard_normal(len(deviation)))
    low, high = np.minimum(interval(means, law.level), 1.0)
    bounds = (float(low), float(high))
    observed = float(np.exp(np.log(errors).mean()))
    return Prediction(float(size), len(errors), float(law.error([size])[0]), bounds, observed)
