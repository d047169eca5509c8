"""The fronts of a compiled search are those of the host; survivors and parents are points told."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scaling.laws import pareto
from search.core import automaton
from search.core.space import Space
from search.strategies.evolution import evolution
from search.strategies.nsga2 import front_numbers, nsga2

# No point is all zeros, nor is a change of one decision of zeros one: the last digit checks the others
CHECKED = Space(
    "checked", automaton.from_points([[a, b, c, 1 + (a + b + c) % 3] for a, b, c in np.ndindex(4, 4, 4)])
)


@pytest.mark.parametrize("objectives", [1, 2, 3])
def test_fronts_in_a_program_are_the_host_s(objectives):
    rewards = np.random.default_rng(objectives).integers(0, 5, (4, 30, objectives)).astype(np.float32)
    found = jax.vmap(front_numbers)(jnp.asarray(rewards))
    for numbers, one in zip(found.tolist(), rewards):
        assert numbers == pareto.fronts(one).tolist()


def told(strategy, rewards_of, times, seed=0):
    """Ask and tell so often; return the points asked for and the last state."""

    def step(state, _):
        points, state = strategy.ask(state)
        return strategy.tell(state, points, rewards_of(points)), points

    run = jax.jit(lambda key: jax.lax.scan(step, strategy.init(key), length=times))
    state, points = run(jax.random.key(seed))
    return np.asarray(points).reshape(times * points.shape[1], -1), state


@pytest.mark.parametrize("corner", [0, 2])
def test_the_best_point_survives_wherever_it_stands(corner):
    """Also the one of zeros alone: an empty place of the population must not stand for it."""
    space = Space("corners", automaton.product([3, 3]))
    away = lambda points: -jnp.abs(points - corner).sum(-1)[:, None] * jnp.ones(2)
    asked, state = told(nsga2(space, 2), away, 60)
    assert (asked == corner).all(-1).any()
    kept = (np.asarray(state.points) == corner).all(-1) & np.isfinite(np.asarray(state.rewards)).all(-1)
    assert kept.sum() == 1


@pytest.mark.parametrize("batch", [1, 15])
def test_only_points_that_were_told_survive_and_are_parents(batch):
    """Whatever share of them fails, and where a batch does not fill the population."""

    def rewards(points):
        fine = jnp.where(points.sum(-1) % 4 == 0, points[:, 0].astype(jnp.float32), -jnp.inf)
        return jnp.stack([fine, -fine], -1)

    points, state = told(nsga2(CHECKED, 2, batch=batch), rewards, 30 // batch)
    assert jax.vmap(CHECKED.is_valid)(jnp.asarray(points)).all()
    assert jax.vmap(CHECKED.is_valid)(state.points).all()


def test_evolution_s_children_too_are_of_points_that_were_told():
    """The second batch of 15 fills the population of 20 and asks for ten children: one decision changed."""
    space = Space("wide", automaton.product([4] * 8))
    points, _ = told(evolution(space, tournament=1, batch=15), lambda points: points[:, 0] * 1.0, 2)
    apart = (points[20:, None] != points[:15]).sum(-1)
    assert (apart.min(-1) == 1).all()
