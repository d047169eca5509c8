"""How surely a share of examples is known."""

from __future__ import annotations

import math
from statistics import NormalDist

from scaling.laws.power import LEVEL


def wilson(share: float, count: int, level: float = LEVEL) -> tuple[float, float]:
    """Return the interval (low, high) of a share found in `count` independent examples.

    Unlike the normal one it is right near 0 and 1, too. Source: Wilson, J. Am. Stat. Assoc. 22 (1927), 209.
    """
    if count < 1 or not 0 <= share <= 1:
        raise ValueError(
            f"a share of {share} of {count} examples has no interval: give 0 to 1 of at least one."
        )
    z = NormalDist().inv_cdf((1 + level) / 2)
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * math.sqrt(share * (1 - share) / count + (z / (2 * count)) ** 2)
    return max(0.0, middle - half), min(1.0, middle + half)
