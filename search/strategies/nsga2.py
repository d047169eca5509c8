"""NSGA-II (Deb et al., 2002) for several objectives: the fronts survive, spread out by crowding."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from search.core.neighbourhood import mutate
from search.core.space import Space
from search.core.strategy import Strategy


class Survivors(NamedTuple):
    """The population [P, L] and its rewards [P, M], the best first; `told` counts all points told.

    Places that hold no point yet come last: their entries are -1, which no point has.
    """

    key: jax.Array
    points: jax.Array
    rewards: jax.Array
    told: jax.Array


def nsga2(space: Space, objectives: int, population: int = 20, batch: int = 1) -> Strategy:
    """Cross and mutate winners of two, and keep the best `population`; rewards are [n, objectives].

    Children of two parents that break a rule of the space are replaced by a mutant of the first parent.
    A point that stands twice survives once. With batch = population it is the paper's
    algorithm; smaller ones replace members sooner.
    """
    if not 1 <= batch <= population:
        raise ValueError(f"batch={batch} must be at least 1 and at most the population, {population}.")

    def init(key):
        points = jnp.full((population, space.length), -1, jnp.int32)
        rewards = jnp.full((population, objectives), -jnp.inf)
        return Survivors(key, points, rewards, jnp.int32(0))

    def child(state, place, key):
        first, drawn, mixed, changed = jax.random.split(key, 4)
        # members stand in order, so the winner of two is the smaller place; empty ones are not drawn
        pairs = jax.random.randint(drawn, (2, 2), 0, jnp.clip(state.told, 1, population))
        mother, father = state.points[pairs.min(-1)]
        crossed = jnp.where(jax.random.bernoulli(mixed, shape=mother.shape), mother, father)
        base = jnp.where(space.is_valid(crossed), crossed, mother)
        return jnp.where(place < population, space.sample(first), mutate(space, changed, base))

    def ask(state):
        key, drawn = jax.random.split(state.key)
        places = state.told + jnp.arange(batch)
        points = jax.vmap(lambda place, k: child(state, place, k))(places, jax.random.split(drawn, batch))
        return points, state._replace(key=key)

    def tell(state, points, rewards):
        all_points = jnp.concatenate([state.points, points])
        all_rewards = jnp.concatenate([state.rewards, rewards])
        equal = (all_points[:, None] == all_points).all(-1)
        lost = jnp.tril(equal, -1).any(-1) | ~jnp.isfinite(all_rewards).all(-1)
        all_rewards = jnp.where(lost[:, None], -jnp.inf, all_rewards)
        order = survival_order(all_rewards)
        empty = (all_points < 0).any(-1)
        best = order[jnp.argsort(empty[order], stable=True)][:population]
        return Survivors(state.key, all_points[best], all_rewards[best], state.told + batch)

    return Strategy(init, ask, tell)


def survival_order(rewards: jax.Array) -> jax.Array:
    """Indices of rewards [N, M] from the best: by front, then from the least crowded."""
    fronts = front_numbers(rewards)
    return jnp.lexsort((-crowding(rewards, fronts), fronts))


def dominates(rewards: jax.Array) -> jax.Array:
    """Whether row i of [N, M] is nowhere worse than row j, and somewhere better: bool [N, N]."""
    one, other = rewards[:, None], rewards[None]
    return (one >= other).all(-1) & (one > other).any(-1)


def front_numbers(rewards: jax.Array) -> jax.Array:
    """Of each row of [N, M] its front [N], as `scaling.laws.pareto.fronts` numbers them on the host."""
    beats = dominates(rewards)
    count = len(rewards)

    def peel(number, fronts):
        left = fronts == count
        beaten = (beats & left[:, None]).any(0)
        return jnp.where(left & ~beaten, number, fronts)

    return jax.lax.fori_loop(0, count, peel, jnp.full(count, count))


def crowding(rewards: jax.Array, fronts: jax.Array) -> jax.Array:
    """Of each row of [N, M] the distance between its neighbours on its front, summed over objectives.

    Distances are in units of the front's range; infinite at the ends of a front.
    """
    return jax.vmap(_gaps, (1, None))(rewards, fronts).sum(0)


def _gaps(reward: jax.Array, fronts: jax.Array) -> jax.Array:
    order = jnp.lexsort((reward, fronts))
    front, value = fronts[order], reward[order]
    same_before = jnp.concatenate([jnp.zeros(1, bool), front[1:] == front[:-1]])
    same_after = jnp.concatenate([front[1:] == front[:-1], jnp.zeros(1, bool)])
    gap = jnp.roll(value, -1) - jnp.roll(value, 1)
    low = jax.ops.segment_min(reward, fronts, len(reward))
    high = jax.ops.segment_max(reward, fronts, len(reward))
    spread = (high - low)[front]
    inside = same_before & same_after
    relative = jnp.where(inside & (spread > 0), gap / jnp.where(spread > 0, spread, 1), 0)
    return jnp.zeros_like(reward).at[order].set(jnp.where(inside, relative, jnp.inf))
