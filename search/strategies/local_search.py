"""Local search: try the neighbours of the best point in random order, and move to the first better one."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from search.core.neighbourhood import neighbours
from search.core.space import Space
from search.core.strategy import Strategy, failed_last


class Climb(NamedTuple):
    """The point stood on, its reward, and which of its neighbours [L * K] are still to be tried.

    `trying` are the rows of neighbours last asked for, -1 for a random point, which is a new start.
    """

    key: jax.Array
    centre: jax.Array
    reward: jax.Array
    untried: jax.Array
    trying: jax.Array


def local_search(space: Space, batch: int = 1) -> Strategy:
    """Climb from a random point; where no neighbour is better, start again from another one.

    A batch holds different neighbours, filled up with random points where too few are left.
    """
    moves = space.length * space.values
    batch_moves = min(batch, moves)

    def init(key):
        centre = jnp.zeros(space.length, jnp.int32)
        return Climb(
            key, centre, jnp.float32(-jnp.inf), jnp.zeros(moves, bool), jnp.full(batch, -1, jnp.int32)
        )

    def ask(state):
        key, order, drawn = jax.random.split(state.key, 3)
        chance = jnp.where(state.untried, jax.random.uniform(order, (moves,)), -1.0)
        best, rows = jax.lax.top_k(chance, batch_moves)
        trying = jnp.full(batch, -1, jnp.int32).at[:batch_moves].set(jnp.where(best >= 0, rows, -1))
        candidates = neighbours(space, state.centre)[0]
        starts = jax.vmap(space.sample)(jax.random.split(drawn, batch))
        points = jnp.where(trying[:, None] >= 0, candidates[trying], starts)
        return points, state._replace(key=key, trying=trying)

    def tell(state, points, rewards):
        rewards = failed_last(rewards)
        tried = jnp.where(state.trying >= 0, state.trying, moves)
        untried = state.untried.at[tried].set(False, mode="drop")
        best = jnp.argmax(rewards)
        restart = ~state.untried.any()
        moved = restart | (rewards[best] > state.reward)
        centre = jnp.where(moved, points[best], state.centre)
        fresh = neighbours(space, centre)[1]
        return Climb(
            state.key,
            centre,
            jnp.where(moved, rewards[best], state.reward),
            jnp.where(moved, fresh, untried),
            state.trying,
        )

    return Strategy(init, ask, tell)
