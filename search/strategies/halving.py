"""Successive halving (arXiv 1502.07943) around any strategy: many points cheaply, the best ones again.

How thoroughly a point is measured is one more decision, the last: its rung, 0 the cheapest. So a halving
search runs in `with_rungs(space)`, whose points an evaluator of several fidelities understands.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from search.core.space import Space
from search.core.strategy import State, Strategy, batch_of, failed_last


def with_rungs(space: Space, rungs: int) -> Space:
    """The space with one more decision, of how thoroughly a point is measured."""
    if not 1 < rungs:
        raise ValueError(f"rungs={rungs} must be at least 2: with one there is nothing to halve.")
    states, values = space.moves.shape[1], max(space.values, rungs)
    moves = np.full((space.length + 1, states, values), -1, np.int32)
    moves[:-1, :, : space.values] = space.moves
    moves[-1, :, :rungs] = 0
    return dataclasses.replace(
        space,
        name=f"{space.name}@{rungs}",
        moves=moves,
        write=lambda point: f"{space.write(point[:-1])}@{point[-1]}",
        read=lambda text: [*space.read(text.rpartition("@")[0]), int(text.rpartition("@")[2])],
        identity=None,
        normal_form=lambda point: [*space.canonical(point[:-1]).tolist(), point[-1]],
        network=space.network and (lambda point: space.decode(point[:-1])),
    )


class Bracket(NamedTuple):
    """The inner strategy's state, this bracket's points by rung [R, W, L] and rewards, and the asks made."""

    inner: State
    points: jax.Array
    rewards: jax.Array
    asked: jax.Array


def halving(inner: Strategy, widths: Sequence[int]) -> Strategy:
    """Measure `widths[0]` points of `inner` at rung 0, the best `widths[1]` of them at rung 1, and so on.

    Then the next bracket begins. `inner` is told the rewards of rung 0 only: rewards of different rungs
    do not compare. ValueError where widths are not falling multiples of the inner batch.
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
        kept = _select(lowest, asked, state.inner)
        column = jnp.full((batch, 1), rung, jnp.int32)
        return jnp.concatenate([points, column], axis=1), state._replace(inner=kept)

    def tell(state, points, rewards):
        rung, place = rung_of_ask[state.asked], place_of_ask[state.asked]
        told = inner.tell(state.inner, points[:, :-1], rewards)
        last = state.asked + 1 == len(rung_of_ask)
        all_points = jax.lax.dynamic_update_slice(state.points, points[None, :, :-1], (rung, place, 0))
        all_rewards = jax.lax.dynamic_update_slice(state.rewards, failed_last(rewards)[None], (rung, place))
        return Bracket(
            _select(rung == 0, told, state.inner),
            all_points,
            jnp.where(last, -jnp.inf, all_rewards),
            jnp.where(last, 0, state.asked + 1),
        )

    return Strategy(init, ask, tell)


def last_rung_only(points: jax.Array, rewards: jax.Array) -> jax.Array:
    """Rewards [...] with minus infinity where points [..., L + 1] are not of the highest rung among them.

    Rewards of different rungs do not compare, so the best point of a search is the best of its last rung.
    """
    return jnp.where(points[..., -1] == points[..., -1].max(), rewards, -jnp.inf)


def _select(condition: jax.Array, yes: State, no: State) -> State:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), yes, no)
