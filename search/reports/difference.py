"""Whether two means differ: Welch's interval of their difference, and what it says in words."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from scaling.laws.student import student_quantile

LEVEL = 0.95


@dataclass(frozen=True)
class Difference:
    """The first mean minus the second; `interval` holds the true one at `LEVEL`, None with one score each."""

    mean: float
    interval: tuple[float, float] | None

    @property
    def seen(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.interval is not None and (self.interval[0] > 0 or self.interval[1] < 0)


def welch(one: Sequence[float], other: Sequence[float]) -> Difference:
    """Compare two samples of unequal variances, higher or lower than each other (B. L. Welch, 1947)."""
    mean = statistics.fmean(one) - statistics.fmean(other)
    if min(len(one), len(other)) < 2:
        return Difference(mean, None)
    parts = [statistics.variance(sample) / len(sample) for sample in (one, other)]
    if not sum(parts):
        return Difference(mean, (mean, mean))
    freedom = sum(parts) ** 2 / sum(p**2 / (len(s) - 1) for p, s in zip(parts, (one, other)))
    reach = student_quantile(freedom, LEVEL) * math.sqrt(sum(parts))
    return Difference(mean, (mean - reach, mean + reach))


def verdict(names: tuple[str, str], difference: Difference, scale: float = 1.0, unit: str = "") -> str:
    """The difference in plain words; numbers times `scale`, with their unit."""
    one, other = names
    mean, ends = difference.mean * scale, [scale * end for end in difference.interval or ()]
    size = f"{one} minus {other} is {_signed(mean)}{unit}"
    if not ends:
        return f"Nothing can be said: {size}, but an interval takes at least two scores on either side."
    interval = f"95 % interval {_signed(ends[0])} to {_signed(ends[1])}"
    if not difference.seen:
        return f"No difference can be seen: {size} ({interval})."
    better, worse = (one, other) if mean > 0 else (other, one)
    return f"{better} is better than {worse}: {size} ({interval})."


def _signed(value: float) -> str:
    return f"{value:+.3g}".replace("-", "−")
