"""Which network for a budget: the least predicted error among those that the budget pays for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scaling.laws.compare import Interval
from scaling.laws.power import Law, interval


@dataclass(frozen=True)
class Candidate:
    """A network: its label, the law that predicts it, and the x of that law where it stands."""

    label: str
    law: Law
    x: float


@dataclass(frozen=True)
class Choice:
    """The candidate of least predicted error, and how far the runs decide it.

    `share` is the part of resamples in which it is the best; `among` the fewest candidates, likeliest
    first, that hold the best in a share `level` of them; `interval` that of the winner's error.
    """

    best: Candidate
    error: float
    interval: Interval
    share: float
    among: tuple[Candidate, ...]
    level: float


def choose(candidates: Sequence[Candidate], seed: int = 0) -> Choice:
    """Choose the least predicted error, over the resamples too.

    Laws are of different runs, so the resamples of each are shuffled apart; candidates of one law keep
    theirs together.

    Raises:
      ValueError: without candidates.
    """
    if not candidates:
        raise ValueError("no network to choose from: give a budget that pays for one of those that were run.")
    level = min(c.law.level for c in candidates)
    errors = np.array([c.law.error([c.x])[0] for c in candidates])
    first = int(errors.argmin())
    best, error = candidates[first], min(float(errors[first]), 1.0)
    samples = _samples(candidates, np.random.default_rng(seed))
    shares = np.bincount(samples.argmin(1), minlength=len(candidates)) / len(samples)
    low, high = np.minimum(interval(samples[:, first], level), 1.0)
    among = tuple(candidates[i] for i in _likeliest(shares, level))
    return Choice(best, error, (float(low), float(high)), float(shares[first]), among, level)


def _samples(candidates: Sequence[Candidate], random: np.random.Generator) -> np.ndarray:
    """Errors [resample, candidate], as many as the law with fewest has."""
    laws = {id(c.law): c.law for c in candidates}
    count = min(len(law.samples) for law in laws.values())
    order = {key: random.permutation(len(law.samples))[:count] for key, law in laws.items()}
    return np.stack([c.law.curves([c.x])[order[id(c.law)], 0] for c in candidates], 1)


def _likeliest(shares: np.ndarray, level: float) -> np.ndarray:
    """The fewest indices whose shares come to `level`, largest first."""
    order = np.argsort(-shares, kind="stable")
    return order[: int(np.searchsorted(np.cumsum(shares[order]), level - 1e-12)) + 1]
