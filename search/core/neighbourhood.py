"""Points that differ from a given one by one choice: what local search, evolution and mutation move by.

Where a changed choice forbids a later one (a decision switched off or on, a constraint), the later
decision takes the first value that is allowed. So every point has neighbours, and all of them are valid.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp

from search.core.space import Space


@functools.partial(jax.jit, static_argnums=0, inline=True)
def neighbours(space: Space, point: jax.Array) -> tuple[jax.Array, jax.Array]:
    """All points one choice away: int32 [L * K, L], and which of these rows are neighbours, bool [L * K].

    Row i * K + v is the point with decision i changed to v. Rows that count are valid, all different, and
    never the point itself; the others repeat the point.
    """
    decision, value = (grid.ravel() for grid in jnp.indices((space.length, space.values), jnp.int32))
    before = space.states(point)[decision]
    possible = jax.vmap(space.allowed)(decision, before)[jnp.arange(len(value)), value]
    possible &= value != point[decision]
    changed = jax.vmap(lambda i, v: _repaired(space, point.at[i].set(v), i, v))(decision, value)
    return jnp.where(possible[:, None], changed, point), possible


@functools.partial(jax.jit, static_argnums=0, inline=True)
def mutate(space: Space, key: jax.Array, point: jax.Array) -> jax.Array:
    """Draw a neighbour: first a decision that can change, then one of its other values."""
    candidates, possible = neighbours(space, point)
    by_decision = possible.reshape(space.length, space.values)
    weights = by_decision / jnp.maximum(by_decision.sum(-1, keepdims=True), 1)
    return candidates[jax.random.categorical(key, jnp.log(weights.ravel()))]


def _repaired(space: Space, point: jax.Array, decision: jax.Array, value: jax.Array) -> jax.Array:
    """Replace the values after `decision` that are no longer allowed."""

    def step(state, at):
        i, wanted = at
        allowed = space.allowed(i, state)
        kept = jnp.where(allowed[wanted] | (i <= decision), wanted, jnp.argmax(allowed))
        return space.advance(i, state, kept), kept.astype(jnp.int32)

    decisions = jnp.arange(space.length, dtype=jnp.int32)
    return jax.lax.scan(step, space.start, (decisions, point))[1]
