"""From metrics to the reward that a strategy maximises: `objective({name: [n]}) -> [n]`, or [n, M].

A point that breaks a constraint gets minus infinity, which strategies take for worse than any other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp

Objective = Callable[[Mapping[str, jax.Array]], jax.Array]


def maximise(name: str) -> Objective:
    """The metric itself."""
    return lambda metrics: metrics[name]


def minimise(name: str) -> Objective:
    """The metric with its sign turned, for errors, losses and costs."""
    return lambda metrics: -metrics[name]


def product(name: str, cost: str, target: float, below: float = -0.07, above: float = -0.07) -> Objective:
    """The metric times (cost / target) to the power `below` or, where the cost is over the target, `above`.

    MnasNet (arXiv 1807.11626, section 3): its soft constraint has -0.07 twice, its hard one 0 and -1.
    """
    _check_target(target)

    def reward(metrics):
        ratio = metrics[cost] / target
        return metrics[name] * ratio ** jnp.where(ratio <= 1, below, above)

    return reward


def absolute(name: str, cost: str, target: float, weight: float = -0.07) -> Objective:
    """The metric plus weight * |cost / target - 1|, so that the cost meets the target.

    Source: TuNAS (arXiv 2008.06120). The metric is a fraction: the weight is meant for accuracies in 0..1.
    """
    _check_target(target)
    return lambda metrics: metrics[name] + weight * jnp.abs(metrics[cost] / target - 1)


def constrain(objective: Objective, limits: Mapping[str, float]) -> Objective:
    """Refuse points with a metric over its limit; ValueError where `limits` is empty."""
    if not limits:
        raise ValueError("constrain() got no limits: give at least one {metric: limit}, or leave it out.")

    def reward(metrics):
        fine = jnp.stack([metrics[name] <= limit for name, limit in limits.items()]).all(0)
        rewards = objective(metrics)
        return jnp.where(fine.reshape(fine.shape + (1,) * (rewards.ndim - 1)), rewards, -jnp.inf)

    return reward


def several(*objectives: Objective) -> Objective:
    """Several objectives, each to be maximised: [n, M]."""
    return lambda metrics: jnp.stack([objective(metrics) for objective in objectives], -1)


def _check_target(target: float) -> None:
    if not target > 0:
        raise ValueError(f"target={target} must be above 0: costs are divided by it.")
