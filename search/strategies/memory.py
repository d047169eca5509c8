"""What a controller remembers: the last points and rewards, and how good a reward is among them."""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from search.core.strategy import failed_last


class Memory(NamedTuple):
    """The last H points [H, L] and rewards [H], a ring; `told` counts all that were told."""

    points: jax.Array
    rewards: jax.Array
    told: jax.Array


def empty(size: int, length: int) -> Memory:
    """A memory of nothing, with room for `size` points."""
    return Memory(jnp.full((size, length), -1, jnp.int32), jnp.full(size, jnp.nan), jnp.int32(0))


def remember(memory: Memory, points: jax.Array, rewards: jax.Array) -> Memory:
    """Add points [n, L] and their rewards, over the oldest ones."""
    places = (memory.told + jnp.arange(len(points))) % len(memory.points)
    return Memory(
        memory.points.at[places].set(points),
        memory.rewards.at[places].set(failed_last(rewards)),
        memory.told + len(points),
    )


def fresh_first(memory: Memory, candidates: jax.Array, wanted: int) -> jax.Array:
    """Choose `wanted` of the candidates [C, L]: in their order, but first those that are new.

    New is what memory does not hold and no earlier candidate equals.
    """
    known = (candidates[:, None] == memory.points).all(-1).any(-1)
    equal = (candidates[:, None] == candidates).all(-1)
    repeated = jnp.tril(equal, -1).any(-1)
    return candidates[jnp.argsort(known | repeated, stable=True)[:wanted]]


def savage_scores(memory: Memory, rewards: jax.Array) -> jax.Array:
    """How good remembered rewards [n] are, by their ranks alone: mean 0, the best of N about log N.

    The reward of rank k among N gets 1/N + 1/(N-1) + ... (k terms) - 1, the expected k-th smallest of N
    exponential variables, less their mean (I. R. Savage, 1956); equal rewards get the score of their mean
    rank. So it is the same for accuracies, losses and any monotone function of them.
    """
    size, rewards = len(memory.rewards), failed_last(rewards)[:, None]
    count = jnp.minimum(memory.told, size)
    # Twice the rank is whole; comparing all with all is quicker than sorting, for as many as a memory holds
    twice = 2 * (memory.rewards < rewards).sum(-1) + (memory.rewards == rewards).sum(-1) + 1
    digamma = jnp.asarray(_digamma_of_halves(2 * size + 3))
    return digamma[2 * count + 2] - digamma[jnp.maximum(2 * count - twice + 2, 1)] - 1


@functools.cache
def _digamma_of_halves(count: int) -> np.ndarray:
    """The digamma function at 1/2, 1, 3/2, ... at places 1, 2, 3, ..., by its recurrence."""
    values = np.zeros(count)
    values[1:3] = -np.euler_gamma - 2 * np.log(2), -np.euler_gamma
    for place in range(3, count):
        values[place] = values[place - 2] + 2 / (place - 2)
    return values.astype(np.float32)


def standard_scores(memory: Memory, rewards: jax.Array, most: float = 3.0) -> jax.Array:
    """Rewards [n] less the mean of those remembered, over their standard deviation; at most `most` away.

    A reward that is not finite scores -`most`.
    """
    finite = jnp.isfinite(memory.rewards)
    mean = jnp.mean(memory.rewards, where=finite)
    spread = jnp.std(memory.rewards, where=finite)
    scores = jnp.clip((rewards - mean) / jnp.where(spread > 0, spread, 1), -most, most)
    return jnp.where(jnp.isfinite(rewards), scores, -most)
