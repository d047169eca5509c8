"""Successive halving (arXiv 1502.07943) around any strategy: many points cheaply, the best ones again."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from search.core.strategy import State, Strategy, batch_of, failed_last


class Bracket(NamedTuple):
    """The inner strategy's state, this bracket's points by rung [R, W, L] and rewards, and the asks made."""

    inner: State
    points: jax.Array
    rewards: jax.Array
    asked: jax.Array


def halving(inner: Strategy, widths: Sequence[int]) -> Strategy:
    """Measure `widths[0]` points of `inner` at rung 0, the best `widths[1]` of them at rung 1, and so on.

    `scaling.laws.halving.best` chooses which go on. Then the next bracket begins. `inner` is told the
    rewards of rung 0 only: rewards of different rungs do not compare. ValueError where widths are not falling
    multiples of the inner batch.
    """
    batch = batch_of(inner)
    if any(a <= b for a, b in itertools.pairwise(widths)) or any(w < batch or w % batch for w in widths):
        raise ValueError(
            f"widths={tuple(widths)} must fall from rung to rung and be multiples of the inner batch, {batch}."
        )
    length = jax.eval_shape(inner.ask, jax.eval_shape(inner.init, jax.random.key(0)))[0].shape[1]
    rung_of_ask = jnp.asarray(np.repeat(np.arange(len(widths)), [w // batch for w in widths]), jnp.int32)
    place_of_ask = jnp.concatenate([jnp.arange(0, w, batch, dtype=jnp.int32) for w in widths])

    def init(key):
        points = jnp.zeros((len(widths), widths[0], length), jnp.int32)
        return Bracket(inner.init(key), points, jnp.full(points.shape[:2], -jnp.inf), jnp.int32(0))

    def promoted(state, rung, place):
        """The next best points of the rung below, best first."""
        below = jnp.maximum(rung - 1, 0)
        order = jnp.argsort(-state.rewards[below], stable=True)
        return state.points[below][jax.lax.dynamic_slice(order, (place,), (batch,))]

    def ask(state):
        rung, place = rung_of_ask[state.asked], place_of_ask[state.asked]
        fresh, asked = inner.ask(state.inner)
        lowest = rung == 0
        points = jnp.where(lowest, fresh, promoted(state, rung, place))
        return points, state._replace(inner=_select(lowest, asked, state.inner))

    def tell(state, points, rewards):
        rung, place = rung_of_ask[state.asked], place_of_ask[state.asked]
        told = inner.tell(state.inner, points, rewards)
        last = state.asked + 1 == len(rung_of_ask)
        all_points = jax.lax.dynamic_update_slice(state.points, points[None], (rung, place, 0))
        all_rewards = jax.lax.dynamic_update_slice(state.rewards, failed_last(rewards)[None], (rung, place))
        return Bracket(
            _select(rung == 0, told, state.inner),
            all_points,
            jnp.where(last, -jnp.inf, all_rewards),
            jnp.where(last, 0, state.asked + 1),
        )

    def rungs(state):
        return jnp.full(batch, rung_of_ask[state.asked], jnp.int32)

    return Strategy(init, ask, tell, rungs)


def _select(condition: jax.Array, yes: State, no: State) -> State:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), yes, no)
