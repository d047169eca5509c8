"""What every search strategy is: three pure functions, as optax's transformations are two."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

State = Any  # a pytree of arrays, so that it can be saved, scanned over and vmapped


class Strategy(NamedTuple):
    """A way to choose points, driven by whoever evaluates them.

    `init(key) -> state`; `ask(state) -> (points int32 [n, L], state)`, n fixed by the strategy;
    `tell(state, points, rewards) -> state` with the points just asked for and their rewards [n], higher
    is better ([n, M] for several objectives). A reward that is not finite stands for a point that failed
    or breaks a constraint: it counts as worse than every other.

    A strategy that has points measured at several fidelities says at which: `rungs(state) -> int32 [n]` of
    the points just asked for, 0 the cheapest. None means a single fidelity.
    """

    init: Callable[[jax.Array], State]
    ask: Callable[[State], tuple[jax.Array, State]]
    tell: Callable[[State, jax.Array, jax.Array], State]
    rungs: Callable[[State], jax.Array] | None = None


def batch_of(strategy: Strategy) -> int:
    """How many points the strategy asks for at a time."""
    state = jax.eval_shape(strategy.init, jax.random.key(0))
    return jax.eval_shape(strategy.ask, state)[0].shape[0]


def heeds(strategy: Strategy, objectives: int = 1) -> bool:
    """Whether the strategy may learn from rewards: false where `tell` returns the state it was given."""
    state = jax.eval_shape(strategy.init, jax.random.key(0))
    points, state = jax.eval_shape(strategy.ask, state)
    shape = points.shape[:1] if objectives == 1 else (len(points), objectives)
    rewards = jax.ShapeDtypeStruct(shape, jnp.float32)
    program = jax.make_jaxpr(strategy.tell)(state, points, rewards).jaxpr
    return any(after is not before for after, before in zip(program.outvars, program.invars))


def rungs_of(strategy: Strategy, state: State, points: jax.Array) -> jax.Array:
    """The rungs [n] at which the points just asked for are to be measured."""
    return strategy.rungs(state) if strategy.rungs else jnp.zeros(len(points), jnp.int32)


def comparable(rungs: jax.Array | np.ndarray, finite: jax.Array | np.ndarray) -> jax.Array | np.ndarray:
    """Which rewards [..., T] compare: those of the highest rung at which any is finite.

    Rewards of different rungs do not compare, so the best point of a search is the best of those measured
    most thoroughly.
    """
    return rungs == (rungs * finite).max(-1, keepdims=True)


def failed_last(rewards: jax.Array) -> jax.Array:
    """Rewards with minus infinity for those that are not finite."""
    return jnp.where(jnp.isfinite(rewards), rewards, -jnp.inf)
