"""The front equals the definition, tried on every pair."""

import numpy as np
import pytest

from scaling.laws.pareto import front, fronts, hypervolume


def beats(cost, value, i, j):
    no_worse = cost[i] <= cost[j] and value[i] >= value[j]
    return no_worse and (cost[i] < cost[j] or value[i] > value[j])


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("levels", [4, 1000])
def test_front_equals_brute_force(seed, levels):
    cost, value = np.random.default_rng(seed).integers(0, levels, (2, 60)).tolist()
    everyone = range(len(cost))
    expected = {j for j in everyone if not any(beats(cost, value, i, j) for i in everyone)}
    found = front(cost, value)
    assert set(found) == expected and len(found) == len(expected)
    assert [cost[i] for i in found] == sorted(cost[i] for i in found)


@pytest.mark.parametrize("objectives", [1, 2, 3])
@pytest.mark.parametrize("levels", [3, 1000])
def test_every_front_is_dominated_by_the_one_before_it_and_by_no_later_one(objectives, levels):
    rewards = np.random.default_rng(objectives).integers(0, levels, (50, objectives)).astype(float)
    numbers = fronts(rewards)
    for row, number in zip(rewards, numbers):
        beating = (rewards >= row).all(1) & (rewards > row).any(1)
        assert set(numbers[beating]) == set(range(number))


@pytest.mark.parametrize("levels", [4, 1000])
def test_the_first_of_all_fronts_is_the_front(levels):
    cost, value = np.random.default_rng(0).integers(0, levels, (2, 60))
    assert sorted(front(cost, value)) == np.flatnonzero(fronts(np.stack([-cost, value], 1)) == 0).tolist()


def test_empty_and_unequal():
    assert front([], []) == [] and fronts(np.zeros((0, 2))).shape == (0,)
    with pytest.raises(ValueError, match="as many"):
        front([1.0], [])


@pytest.mark.parametrize("seed", range(5))
def test_hypervolume_equals_counting_the_unit_squares_that_are_dominated(seed):
    cost, value = np.random.default_rng(seed).integers(0, 12, (2, 8)).tolist()
    most_cost, least_value = 10, 2
    squares = sum(
        any(c <= x and v >= y + 1 for c, v in zip(cost, value))
        for x in range(most_cost)
        for y in range(least_value, 12)
    )
    assert hypervolume(cost, value, most_cost, least_value) == squares


def test_hypervolume_of_nothing_and_of_points_outside():
    assert hypervolume([], [], 1.0, 0.0) == 0
    assert hypervolume([2.0, 0.5], [3.0, -1.0], most_cost=1.0, least_value=0.0) == 0
