"""Strategies with a model of rewards: exact fits, what acquisitions prefer, and no point asked twice."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from search.core.space import Space
from search.strategies import memory as memories
from search.strategies.candidates import Pool, held_scores, propose
from search.strategies.gaussian_process import Posterior, expected_improvement, gp, thompson, upper_bound
from search.strategies.predictor import predictor

SPACE = Space("three by three", np.zeros((3, 1, 4), np.int32))
FEW = {"samples": 4, "mutants": 8, "memory": 12, "incumbents": 2, "start": 4}


def asked_for(strategy, times):
    """Ask and tell so often, the sum of a point its reward; return the points and the last state."""

    def step(state, _):
        points, state = strategy.ask(state)
        return strategy.tell(state, points, points.sum(-1).astype(jnp.float32)), points

    run = jax.jit(lambda key: jax.lax.scan(step, strategy.init(key), length=times))
    state, points = run(jax.random.key(1))
    return np.asarray(points).reshape(-1, SPACE.length), state


@pytest.mark.parametrize("times", [pytest.param(4, marks=pytest.mark.nightly), 9])
def test_the_factor_is_that_of_the_covariance_whether_it_grew_or_was_made_anew(times):
    """Nine batches of two are more than the memory holds, so the oldest give way."""
    state = asked_for(gp(SPACE, noise=0.1, batch=2, **FEW), times)[1]
    points, known = np.asarray(state.memory.points), np.arange(12) < 2 * times
    apart = (points[:, None] != points).sum(-1)
    covariance = np.exp(-apart / (0.5 * SPACE.length)) + 0.1 * np.eye(12)
    covariance = np.where(known & known[:, None], covariance, np.eye(12))
    white = np.asarray(state.whitening)
    np.testing.assert_allclose(white @ covariance @ white.T, np.eye(12), atol=1e-4)
    assert (np.triu(white, 1) == 0).all()


@pytest.mark.parametrize("make", [pytest.param(gp, marks=pytest.mark.nightly), predictor])
def test_no_point_is_asked_twice_while_any_candidate_is_new(make):
    """All 64 points come before any comes again, where all neighbours and many samples are candidates."""
    everything = {"samples": 128, "mutants": 64, "memory": 80}
    points = asked_for(make(SPACE, batch=2, **everything), 26)[0]
    assert len(np.unique(points, axis=0)) == 52


def test_candidates_are_random_points_and_then_neighbours_of_the_best():
    memory = memories.empty(8, 3)
    points = jnp.array([[0, 0, 0], [1, 1, 1], [3, 3, 3]], jnp.int32)
    memory = memories.remember(memory, points, jnp.array([0.0, 2.0, jnp.nan]))
    pool = Pool(samples=2, mutants=9, incumbents=1, memory=8)
    made = np.asarray(jax.jit(propose, static_argnums=(0, 1))(SPACE, pool, memory, jax.random.key(0)))
    assert ((made[2:] != np.array([1, 1, 1])).sum(-1) == 1).all()
    assert len(np.unique(made[2:], axis=0)) == 9


def test_scores_of_all_that_is_held_are_those_of_the_controllers():
    memory = memories.remember(
        memories.empty(6, 3), jnp.zeros((4, 3), jnp.int32), jnp.array([3, 1, 3, -jnp.inf])
    )
    expected = jax.jit(memories.savage_scores)(memory, memory.rewards[:4])
    np.testing.assert_allclose(jax.jit(held_scores)(memory), [*expected, 0, 0], atol=1e-6)


@pytest.mark.nightly
def test_acquisitions_weigh_mean_against_doubt():
    mean, deviation = jnp.array([0.0, 0.5, 0.5]), jnp.array([1.0, 0.1, 0.2])
    judged = Posterior(mean, deviation, jnp.diag(deviation**2), jnp.float32(0.4))
    key = jax.random.key(0)
    assert jnp.argmax(upper_bound(judged, 0.0, key)) == 1 and jnp.argmax(upper_bound(judged, 1.0, key)) == 0
    draws = np.asarray(jax.random.normal(key, (20_000, 3)) * deviation + mean)
    gains = np.maximum(draws - 0.4, 0).mean(0)
    np.testing.assert_allclose(expected_improvement(judged, 0.0, key), gains, atol=0.01)
    drawn = jax.vmap(lambda k: thompson(judged, 0.0, k))(jax.random.split(key, 4000))
    np.testing.assert_allclose(drawn.std(0), deviation, atol=0.03)
