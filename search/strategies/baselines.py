"""Grid and random search: what every other strategy is measured against."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from search.core.space import MOST_ENUMERATED, Space
from search.core.strategy import Strategy


def grid(space: Space, batch: int = 1) -> Strategy:
    """Every point in the order of ranks, and again from the first once all have had their turn."""
    space.require_ranks()

    def ask(first):
        ranks = (first + jnp.arange(batch)) % space.size
        return jax.vmap(space.unrank)(ranks), (first + batch) % space.size

    return Strategy(lambda key: jnp.int32(0), ask, lambda state, points, rewards: state)


def random(space: Space, batch: int = 1) -> Strategy:
    """Valid points, each drawn with the same probability, whatever was drawn before."""

    def ask(key):
        key, drawn = jax.random.split(key)
        return jax.vmap(space.sample)(jax.random.split(drawn, batch)), key

    return Strategy(lambda key: key, ask, lambda state, points, rewards: state)


class Shuffled(NamedTuple):
    """All ranks in random order, and how many were asked for."""

    ranks: jax.Array
    asked: jax.Array


def random_without_replacement(space: Space, batch: int = 1) -> Strategy:
    """Points in random order, none repeated before all were asked for; ValueError for too large a space."""
    if space.size > MOST_ENUMERATED:
        raise ValueError(
            f"space {space.name!r} has {space.size} points, too many to shuffle (at most {MOST_ENUMERATED}): "
            "use random(), where repeats are then rare."
        )

    def init(key):
        return Shuffled(jax.random.permutation(key, space.size).astype(jnp.int32), jnp.int32(0))

    def ask(state):
        places = (state.asked + jnp.arange(batch)) % space.size
        points = jax.vmap(space.unrank)(state.ranks[places])
        return points, state._replace(asked=(state.asked + batch) % space.size)

    return Strategy(init, ask, lambda state, points, rewards: state)
