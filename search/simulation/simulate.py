"""Many searches over a table as one program: scanned over evaluations, vmapped over some seeds at a time."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from search.core.objectives import Objective
from search.core.space import Space
from search.core.strategy import Strategy, batch_of, comparable, rungs_of
from search.core.table import ranks

TOGETHER = 50  # searches whose states a processor's cache holds at once
ArrayEvaluator = Callable[[jax.Array, jax.Array], dict[str, jax.Array]]  # of points and their rungs


class Trace(NamedTuple):
    """What a search asked for and was told, in order: points [..., T, L], rungs [..., T] and rewards.

    Rewards are [..., T], or [..., T, M] of several objectives.
    """

    points: jax.Array
    rungs: jax.Array
    rewards: jax.Array


def trace(
    strategy: Strategy, evaluator: ArrayEvaluator, objective: Objective, evaluations: int, key: jax.Array
) -> Trace:
    """Run one search; may be jitted and vmapped. The last batch is asked for in full and then cut off."""
    batch = batch_of(strategy)

    def step(state, _):
        points, state = strategy.ask(state)
        rungs = rungs_of(strategy, state, points)
        rewards = objective(evaluator(points, rungs))
        return strategy.tell(state, points, rewards), Trace(points, rungs, rewards)

    _, steps = jax.lax.scan(step, strategy.init(key), length=-(-evaluations // batch))
    return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:])[:evaluations], steps)


def simulate(
    strategy: Strategy, evaluator: Any, objective: Objective, evaluations: int, keys: jax.Array
) -> Trace:
    """Run one search a key [S]; the evaluator is a pytree, so tables of one space share a compiled program.

    ValueError for a budget below 1.
    """
    if evaluations < 1:
        raise ValueError(f"evaluations={evaluations} must be at least 1: it is how many points are paid for.")
    return _program(jax.default_backend())(strategy, objective, evaluations, evaluator, keys)


def _searches(strategy, objective, evaluations, evaluator, keys):
    one = functools.partial(trace, strategy, evaluator, objective, evaluations)
    return jax.lax.map(one, keys, batch_size=TOGETHER)


@functools.cache
def _program(backend: str) -> Callable[..., Trace]:
    """The searches, compiled; on a CPU with fewer passes, which takes two thirds and runs as fast."""
    options = {"xla_backend_optimization_level": 1} if backend == "cpu" else None
    return jax.jit(_searches, static_argnums=(0, 1, 2), compiler_options=options)


def incumbents(rewards: jax.Array) -> jax.Array:
    """The index of the best reward so far, the first of equals: int32 [..., T] for rewards [..., T].

    -1 as long as no reward is finite.
    """
    finite = jnp.where(jnp.isfinite(rewards), rewards, -jnp.inf)
    best = jax.lax.cummax(finite, axis=finite.ndim - 1)
    fresh = finite > jnp.concatenate([jnp.full_like(best[..., :1], -jnp.inf), best[..., :-1]], -1)
    places = jnp.where(fresh, jnp.arange(rewards.shape[-1]), -1)
    return jax.lax.cummax(places, axis=places.ndim - 1)


def chosen(found: Trace, evaluations: int) -> np.ndarray:
    """The point [..., L] that each search would report after `evaluations`: the best whose rewards compare.

    ValueError where a search has not made that many, or none of its points had a finite reward: all failed,
    or no point that it saw meets the constraints.
    """
    if not 1 <= evaluations <= found.rewards.shape[-1]:
        raise ValueError(f"evaluations={evaluations}: the searches made {found.rewards.shape[-1]}.")
    rungs, rewards = found.rungs[..., :evaluations], found.rewards[..., :evaluations]
    rewards = jnp.where(comparable(rungs, jnp.isfinite(rewards)), rewards, -jnp.inf)
    best = np.asarray(incumbents(rewards))[..., -1]
    if (best < 0).any():
        raise ValueError(
            f"{(best < 0).sum()} of {best.size} searches saw no point with a finite reward in {evaluations} "
            "evaluations: loosen the constraints, or give them more evaluations."
        )
    return np.take_along_axis(np.asarray(found.points), best[..., None, None], -2)[..., 0, :]


def distinct(space: Space, points: np.ndarray) -> np.ndarray:
    """How many different networks stand among points [..., T, L]: what a cache would have to evaluate."""
    networks = np.sort(space.canonical_ranks[ranks(space, np.asarray(points))], axis=-1)
    return 1 + (np.diff(networks, axis=-1) != 0).sum(-1)
