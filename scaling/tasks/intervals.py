"""Intervals over examples for metrics of sums, such as mean IoU, of which no mean over examples exists."""

from __future__ import annotations

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from scaling.laws.student import student_quantile

GROUPS = 32  # of examples; with no more examples than groups the intervals are those of the plain jackknife
LEVEL = 0.95
MARGIN = "_margin"  # how the name of half an interval ends, behind that of its metric


def by_group(values_b, positions_b):
    """Return sums (GROUPS, ...) of examples' values, grouped by their places in the split."""
    return jax.ops.segment_sum(values_b, jnp.asarray(positions_b) % GROUPS, GROUPS)


def margins(metrics: Callable[[np.ndarray], dict[str, float]], groups: np.ndarray) -> dict[str, float]:
    """Return half of each metric's 95 % interval, {"NAME_margin": ...}, from the sums of `by_group`.

    Each group is left out in turn: the delete-a-group jackknife. Nothing where all examples are of one group.
    Source: P. S. Kott, Journal of Official Statistics 17(4), 2001."""
    held = groups[np.any(groups, tuple(range(1, groups.ndim)))]
    if len(held) < 2:
        return {}
    whole, count = held.sum(0), len(held)
    left = [metrics(whole - part) for part in held]
    reach = student_quantile(count - 1, LEVEL) * math.sqrt(count - 1)
    return {f"{name}{MARGIN}": reach * float(np.std([found[name] for found in left])) for name in left[0]}
