"""The front equals the definition, tried on every pair."""

import numpy as np
import pytest

from scaling.laws.pareto import front


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


def test_empty_and_unequal():
    assert front([], []) == []
    with pytest.raises(ValueError, match="as many"):
        front([1.0], [])
