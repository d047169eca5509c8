"""What every search strategy is: three pure functions, as optax's transformations are two."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

State = Any  # a pytree of arrays, so that it can be saved, scanned over and vmapped


class Strategy(NamedTuple):
    """A way to choose points, driven by whoever evaluates them.

    `init(key) -> state`; `ask(state) -> (points int32 [n, L], state)`, n fixed by the strategy;
    `tell(state, points, rewards) -> state` with the points just asked for and their rewards [n], higher
    is better ([n, M] for several objectives). A reward that is not finite stands for a point that failed
    or breaks a constraint: it counts as worse than every other.
    """

    init: Callable[[jax.Array], State]
    ask: Callable[[State], tuple[jax.Array, State]]
    tell: Callable[[State, jax.Array, jax.Array], State]


def batch_of(strategy: Strategy) -> int:
    """How many points the strategy asks for at a time."""
    state = jax.eval_shape(strategy.init, jax.random.key(0))
    return jax.eval_shape(strategy.ask, state)[0].shape[0]


def failed_last(rewards: jax.Array) -> jax.Array:
    """Rewards with minus infinity for those that are not finite."""
    return jnp.where(jnp.isfinite(rewards), rewards, -jnp.inf)
