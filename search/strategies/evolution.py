"""Regularised evolution (arXiv 1802.01548): mutate the best of a few, and let the oldest die."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from search.core.neighbourhood import mutate
from search.core.space import Space
from search.core.strategy import Strategy, failed_last


class Population(NamedTuple):
    """The last members told, as a ring; `told` counts all of them."""

    key: jax.Array
    points: jax.Array
    rewards: jax.Array
    told: jax.Array


def evolution(space: Space, population: int = 20, tournament: int = 5, batch: int = 1) -> Strategy:
    """Mutate the best of `tournament` members, drawn with replacement from the last `population` ones.

    The first members are random points.
    """
    if not 1 <= tournament <= population or batch > population:
        raise ValueError(
            f"population={population}, tournament={tournament}, batch={batch}: neither of the last two may "
            "be larger than the population."
        )

    def init(key):
        points = jnp.zeros((population, space.length), jnp.int32)
        return Population(key, points, jnp.full(population, -jnp.inf), jnp.int32(0))

    def child(state, place, key):
        first, drawn, changed = jax.random.split(key, 3)
        contest = jax.random.randint(drawn, (tournament,), 0, jnp.clip(state.told, 1, population))
        parent = contest[jnp.argmax(state.rewards[contest])]
        mutant = mutate(space, changed, state.points[parent])
        return jnp.where(place < population, space.sample(first), mutant)

    def ask(state):
        key, drawn = jax.random.split(state.key)
        places = state.told + jnp.arange(batch)
        points = jax.vmap(lambda place, k: child(state, place, k))(places, jax.random.split(drawn, batch))
        return points, state._replace(key=key)

    def tell(state, points, rewards):
        oldest = (state.told + jnp.arange(batch)) % population
        return state._replace(
            points=state.points.at[oldest].set(points),
            rewards=state.rewards.at[oldest].set(failed_last(rewards)),
            told=state.told + batch,
        )

    return Strategy(init, ask, tell)
