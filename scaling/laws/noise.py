"""The noise of a parametric bootstrap: how sizes scatter about a law, and runs about their size."""

from __future__ import annotations

import numpy as np

# Log errors of a resample stay within this of the fit (a factor of 20).
MOST_NOISE = 3.0


def deviations(
    residual: np.ndarray, group: np.ndarray, parameters: int, resamples: int, random: np.random.Generator
) -> np.ndarray:
    """Standard deviations [resample, 2] of log error, between sizes and within a size.

    `residual` by run, `group` the number of its size. Two components, as in an analysis of variance:
    the sizes' means about the law, with sizes - parameters degrees of freedom, and the runs of a size
    (seeds), with runs - sizes. Each resample draws both mean squares from what they leave possible and
    takes their difference, so that few points give wide intervals, also where scatter between the
    sizes hides in the runs' own. ValueError where nothing is left to judge by.
    """
    counts = np.bincount(group)
    means = np.bincount(group, residual) / counts
    between_free, within_free = len(counts) - parameters, len(residual) - len(counts)
    if between_free + within_free <= 0:
        raise ValueError(
            f"{len(residual)} runs of {len(counts)} sizes leave no freedom beside {parameters} parameters."
        )
    of_means = _variance((means**2).sum(), between_free, resamples, random)
    within = _variance(((residual - means[group]) ** 2).sum(), within_free, resamples, random)
    between = np.maximum(of_means - within * (1 / counts).mean(), 0.0)
    return np.sqrt(np.stack([between, within], -1))


def draws(deviation: np.ndarray, group: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Noise [resample, run] in log error, of standard deviations [resample, 2]."""
    between, within = deviation.T[..., None]
    noise = within * random.standard_normal((len(deviation), len(group)))
    noise += (between * random.standard_normal((len(deviation), group.max() + 1)))[:, group]
    return np.clip(noise, -MOST_NOISE, MOST_NOISE)


def _variance(squares: float, free: int, resamples: int, random: np.random.Generator) -> np.ndarray:
    """What a variance may be, given a sum of squares with so many degrees of freedom; 0 with none."""
    return squares / random.chisquare(free, resamples) if free > 0 else np.zeros(resamples)
