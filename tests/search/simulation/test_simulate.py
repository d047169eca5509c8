"""Simulated searches: incumbents, budgets, duplicates, random search's expectation, what a search may see."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from search.core import objectives
from search.core.evaluation import Evaluation
from search.core.objectives import maximise
from search.core.table import Table
from search.evaluators.cached import Cached
from search.evaluators.tabular import laddered, tabular
from search.simulation.expectation import random_search
from search.simulation.simulate import Trace, chosen, distinct, incumbents, simulate
from search.spaces import nasbench201
from search.strategies.baselines import random, random_without_replacement
from search.strategies.catalogue import named

KEYS = jax.random.split(jax.random.key(0), 3)
# What a search may see is not the strategy's to say: one that remembers points, and one that learns
SEARCHES = ["evolution", pytest.param("reinforce", marks=pytest.mark.nightly)]


def test_incumbents_are_the_first_best_so_far():
    rewards = jnp.array(
        [[jnp.nan, 1.0, 3.0, 3.0, 2.0, jnp.inf, 4.0], [2.0, 1.0, -jnp.inf, 2.0, 5.0, 5.0, 0.0]]
    )
    assert incumbents(rewards).tolist() == [[-1, 1, 2, 2, 2, 2, 6], [0, 0, 0, 0, 4, 4, 4]]
    points = jnp.arange(14).reshape(2, 7, 1)
    found = Trace(points, jnp.zeros((2, 7), jnp.int32), rewards)
    assert chosen(found, 4)[:, 0].tolist() == [2, 7]
    with pytest.raises(ValueError, match="1 of 2 searches"):
        chosen(found, 1)
    for evaluations in (0, 8):
        with pytest.raises(ValueError, match="made 7"):
            chosen(found, evaluations)


def test_only_the_highest_rung_with_a_finite_reward_compares():
    rungs = jnp.array([[0, 0, 1, 0, 1], [0, 0, 1, 0, 1]])
    rewards = jnp.array([[9.0, 8.0, 1.0, 7.0, 2.0], [9.0, 8.0, jnp.nan, 7.0, -jnp.inf]])
    found = Trace(jnp.arange(10).reshape(2, 5, 1), rungs, rewards)
    assert chosen(found, 2)[:, 0].tolist() == [0, 5]
    assert chosen(found, 5)[:, 0].tolist() == [4, 5]


@pytest.mark.parametrize("evaluations", [0, -3])
def test_a_budget_below_one_is_refused(hill, evaluations):
    with pytest.raises(ValueError, match="at least 1"):
        simulate(random(hill.space), tabular(hill, {"y": "val"}), maximise("y"), evaluations, KEYS)


def test_a_budget_that_is_no_multiple_of_the_batch_is_kept(hill):
    found = simulate(random(hill.space, 4), tabular(hill, {"y": "val"}), maximise("y"), 10, KEYS)
    assert found.points.shape == (3, 10, 4) and found.rewards.shape == (3, 10)


@pytest.mark.parametrize("name", SEARCHES)
def test_a_smaller_budget_is_the_beginning_of_a_larger_one(hill, name):
    strategy, evaluator = named(name, hill.space), tabular(hill, {"y": "val"})
    small, large = (simulate(strategy, evaluator, maximise("y"), n, KEYS) for n in (15, 40))
    assert np.array_equal(small.points, large.points[:, :15])


class Watched(dict):
    """Columns that note who is read."""

    def __init__(self, columns):
        super().__init__(columns)
        self.read = []

    def __getitem__(self, name):
        self.read.append(name)
        return super().__getitem__(name)


@pytest.mark.parametrize("name", SEARCHES)
def test_test_accuracy_is_never_read_before_the_end(hill, name):
    columns = Watched(hill.columns)
    table = Table(hill.space, columns)
    evaluator = tabular(table, {"y": "val"})
    found = simulate(named(name, hill.space), evaluator, maximise("y"), 25, KEYS)
    best = chosen(found, 25)
    assert set(columns.read) == {"val"}
    table.at("test", best)
    assert columns.read[-1] == "test"


@pytest.mark.parametrize("name", SEARCHES)
def test_another_test_column_changes_nothing_of_a_search(hill, name):
    """Nor does the program hold it: no constant and no argument of it equals the column."""
    upside_down = Table(hill.space, {"val": hill.column("val"), "test": -hill.column("test")})
    strategy = named(name, hill.space)
    one, other = (
        simulate(strategy, tabular(t, {"y": "val"}), maximise("y"), 25, KEYS) for t in (hill, upside_down)
    )
    assert np.array_equal(one.points, other.points)
    evaluator = tabular(hill, {"y": "val"})
    held = jax.make_jaxpr(lambda p: evaluator(p))(one.points[0]).consts + jax.tree.leaves(evaluator)
    test = hill.column("test").astype(np.float32)
    assert not [x for x in held if np.size(x) == test.size and np.array_equal(np.ravel(x), test)]
    assert [x for x in held if np.array_equal(np.ravel(x), hill.column("val").astype(np.float32))]


def test_evaluators_say_what_a_point_costs(hill):
    points = jnp.asarray(hill.space.points()[:3])
    assert tabular(hill, {"y": "val"}, cost=12.0)(points)["cost"].tolist() == [12, 12, 12]
    with pytest.raises(ValueError, match="one column a cost"):
        laddered(hill, {"y": ["val"]}, [1.0, 2.0])
    with pytest.raises(ValueError, match="'cost'"):
        tabular(hill, {"cost": "val"})


def test_distinct_counts_networks_not_points():
    space = nasbench201.SPACE
    same = [[0, 0, 3, 0, 0, 0], [0, 0, 0, 0, 0, 0]]
    assert space.identity(same[0]) == space.identity(same[1])
    points = np.array([[*same, [3] * 6], [[3] * 6, [3] * 6, [3] * 6]])
    assert distinct(space, points).tolist() == [2, 1]


def test_a_cache_pays_for_each_network_once():
    class Summing:
        stateful, paid = False, []

        def __call__(self, points, rungs):
            for point in points:
                self.paid.append(point.tolist())
                yield Evaluation({"sum": float(point.sum())}, cost=2.0)

    cached = Cached(nasbench201.SPACE, Summing())
    points = np.array([[3] * 6, [0, 0, 3, 0, 0, 0], [3] * 6, [0] * 6], np.int32)
    first, again = list(cached(points, [0] * 4)), list(cached(points[::-1], [0] * 4))
    assert Summing.paid == [[3] * 6, [0] * 6]  # in canonical form, each once
    assert [found.metrics["sum"] for found, _ in first] == [18, 0, 18, 0]
    assert [known for _, known in first] == [False, False, True, True]
    assert all(known and found.cost == 0 for found, known in again) and cached.unique == 2
    assert [known for _, known in cached(points[:2], [1, 0])] == [False, True]  # but once at each rung


@pytest.mark.parametrize("replace", [True, False])
@pytest.mark.parametrize("evaluations", [1, 2, 3])
def test_random_search_s_expectation_is_that_of_all_its_runs(evaluations, replace):
    """Enumerated over every sequence of draws from a table with ties."""
    signal = np.array([1.0, 3.0, 3.0, 2.0, 3.0, 1.0])
    report = np.array([0.5, 7.0, -1.0, 2.0, 4.0, 9.0])
    draws = itertools.product if replace else itertools.permutations
    runs = list(draws(range(6), repeat=evaluations) if replace else draws(range(6), evaluations))
    reported = [report[max(run, key=lambda i: (signal[i], -run.index(i)))] for run in runs]
    exact = random_search(signal, report, evaluations, replace)
    assert abs(exact.mean - np.mean(reported)) < 1e-9
    assert abs(exact.deviation - np.std(reported)) < 1e-9


def test_an_offset_moves_random_search_s_expectation_and_leaves_its_deviation():
    signal = np.random.default_rng(0).normal(size=500)
    plain, far = random_search(signal, signal, 50), random_search(signal, signal + 1e9, 50)
    assert far.mean == pytest.approx(plain.mean + 1e9, abs=1e-3)
    assert far.deviation == pytest.approx(plain.deviation, rel=1e-3)


def test_random_search_s_expectation_refuses_what_cannot_be_drawn():
    table = np.arange(3.0)
    with pytest.raises(ValueError, match="at most 3"):
        random_search(table, table, 4, replace=False)
    with pytest.raises(ValueError, match="at least 1"):
        random_search(table, table, 0)


@pytest.mark.parametrize(("make", "replace"), [(random, True), (random_without_replacement, False)])
def test_random_searches_meet_their_expectation(hill, make, replace):
    keys = jax.random.split(jax.random.key(1), 2000)
    found = simulate(make(hill.space), tabular(hill, {"y": "val"}), maximise("y"), 40, keys)
    for n in (1, 40):
        exact = random_search(hill.column("val"), hill.column("test"), n, replace)
        reached = hill.at("test", chosen(found, n))
        assert abs(reached.mean() - exact.mean) < 4 * exact.deviation / np.sqrt(2000)


def test_random_search_on_nasbench201_is_what_is_published(shared):
    table = nasbench201.load(shared / "data/nas")
    exact = random_search(table.column("c10_val_12"), table.column("c10_test_200"), 100)
    assert round(exact.mean, 2) == 93.73 and round(exact.deviation, 2) == 0.36


METRICS = {"acc": jnp.array([0.7, 0.8, 0.9]), "ms": jnp.array([50.0, 100.0, 200.0])}


def test_objectives_are_the_papers_formulas():
    soft = objectives.product("acc", "ms", 100.0)(METRICS)
    np.testing.assert_allclose(soft, [0.7 * 2**0.07, 0.8, 0.9 * 2**-0.07], rtol=1e-6)
    hard = objectives.product("acc", "ms", 100.0, below=0, above=-1)(METRICS)
    np.testing.assert_allclose(hard, [0.7, 0.8, 0.45], rtol=1e-6)
    both = objectives.absolute("acc", "ms", 100.0)(METRICS)
    np.testing.assert_allclose(both, [0.7 - 0.035, 0.8, 0.9 - 0.07], rtol=1e-6)
    assert objectives.minimise("ms")(METRICS).tolist() == [-50, -100, -200]


def test_constraints_refuse_and_several_objectives_stand_side_by_side():
    limited = objectives.constrain(maximise("acc"), {"ms": 100.0})(METRICS)
    np.testing.assert_allclose(limited, [0.7, 0.8, -np.inf], rtol=1e-6)
    pair = objectives.several(maximise("acc"), objectives.minimise("ms"))
    assert pair(METRICS).shape == (3, 2)
    assert (objectives.constrain(pair, {"ms": 60.0})(METRICS)[1:] == -jnp.inf).all()
    with pytest.raises(ValueError, match="no limits"):
        objectives.constrain(maximise("acc"), {})
    with pytest.raises(ValueError, match="above 0"):
        objectives.product("acc", "ms", 0.0)


def test_constraints_that_no_point_meets_are_an_error_in_the_end(hill):
    impossible = objectives.constrain(maximise("y"), {"y": -100.0})
    found = simulate(random(hill.space), tabular(hill, {"y": "val"}), impossible, 10, KEYS)
    with pytest.raises(ValueError, match="loosen the constraints"):
        chosen(found, 10)
