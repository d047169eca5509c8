"""A memory of what was asked, around any strategy: a repeated point is drawn again."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from search.core.space import Space
from search.core.strategy import State, Strategy
from search.strategies import memory as memories
from search.strategies.memory import Memory


class Remembered(NamedTuple):
    """The inner strategy's state, and what was asked for."""

    inner: State
    memory: Memory


def remembering(inner: Strategy, space: Space, tries: int = 8, memory: int = 256) -> Strategy:
    """Let `inner` ask up to `tries` times, until no point of its batch is among the last `memory` ones.

    The last try stands where all repeat something. `inner` goes on from the state of the try that stands.
    ValueError for less than one try.
    """
    if tries < 1:
        raise ValueError(f"tries={tries} must be at least 1: it is how often the strategy may ask.")

    rungs = inner.rungs

    def repeats(seen, points):
        known = (points[:, None] == seen.points).all(-1).any()
        equal = (points[:, None] == points).all(-1)
        return known | jnp.tril(equal, -1).any()

    def ask(state):
        def again(tried):
            points, _, count = tried
            return repeats(state.memory, points) & (count < tries)

        def once_more(tried):
            _, told, count = tried
            return *inner.ask(told), count + 1

        first = *inner.ask(state.inner), jnp.int32(1)
        points, told, _ = jax.lax.while_loop(again, once_more, first)
        return points, Remembered(told, state.memory)

    def tell(state, points, rewards):
        return Remembered(
            inner.tell(state.inner, points, rewards), memories.remember(state.memory, points, rewards)
        )

    return Strategy(
        lambda key: Remembered(inner.init(key), memories.empty(memory, space.length)),
        ask,
        tell,
        None if rungs is None else (lambda state: rungs(state.inner)),
    )
