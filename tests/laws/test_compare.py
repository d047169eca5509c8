"""Laws are compared where their runs are, and a difference is as sure as its resamples."""

import numpy as np
import pytest

from scaling.laws.compare import at_budget, difference, predict, shared_budgets
from scaling.laws.power import fit


def law(factor=1.0, low=1e6, high=1e8, noise=0.03, seed=0, sizes=6):
    x = np.geomspace(low, high, sizes)
    y = factor * (0.02 + 0.1 * (x / 1e7) ** -0.4)
    y *= np.exp(noise * np.random.default_rng(seed).standard_normal(sizes))
    return fit(x, y, floor=1e-6, resamples=60)


def test_a_clearly_better_law_is_surely_better():
    found = difference(law(), law(2.0, seed=1), 1e7)
    assert found.sure == 1 and found.interval[1] < 0
    assert found.interval[0] <= found.error <= found.interval[1]


def test_a_difference_turned_round_is_its_negative():
    one, other = law(), law(1.05, seed=1)
    there, back = difference(one, other, 2e7), difference(other, one, 2e7)
    np.testing.assert_allclose(there.interval, -np.array(back.interval)[::-1], rtol=1e-9)
    assert (there.error, there.sure) == (-back.error, pytest.approx(1 - back.sure))


def test_the_same_random_numbers_do_not_hide_the_noise():
    """Two laws of equal points and seed are not known to be equal: they stand for different runs."""
    found = difference(law(), law(), 1e7)
    low, high = law().band([1e7])
    assert found.error == 0 and found.sure == pytest.approx(0.5)
    assert found.interval[1] - found.interval[0] > high[0] - low[0]


def test_only_laws_whose_runs_cover_a_budget_are_compared():
    laws = {"small": law(2.0, 1e6, 1e7), "large": law(1.0, 5e6, 1e8, seed=1)}
    assert [e.name for e in at_budget(laws, 6e6)] == ["large", "small"]
    assert [e.name for e in at_budget(laws, 5e7)] == ["large"]
    assert at_budget(laws, 1e9) == []
    entries = at_budget(laws, 5e7, extrapolate=True)
    assert [(e.name, e.estimate.extrapolated) for e in entries] == [("large", False), ("small", True)]
    assert entries[0].behind is None and entries[1].behind.error > 0


def test_the_ends_of_the_runs_are_covered():
    found = law()
    assert found.covers(1e6) and found.covers(1e8) and not found.covers(0.99e6) and not found.covers(1.01e8)


def test_budgets_lie_where_most_laws_do():
    laws = [law(low=1e6, high=1e7), law(low=2e6, high=2e7), law(low=4e6, high=4e7)]
    np.testing.assert_allclose(shared_budgets(laws), [4e6, np.sqrt(4e13), 1e7])
    np.testing.assert_allclose(shared_budgets(laws[:1], 2), [1e6, 1e7])
    assert shared_budgets([law(low=1e6, high=1e7), law(low=2e7, high=2e8)]) == shared_budgets([]) == []


def test_budgets_do_not_reach_over_a_gap_between_laws():
    near, far = [law(low=1e6, high=8e6)] * 2, [law(low=1e9, high=9e9)] * 2
    assert all(
        at_budget({str(i): one for i, one in enumerate(far)}, budget) for budget in shared_budgets(near + far)
    )
    assert shared_budgets(near + far) == shared_budgets(far)


def test_a_predicted_error_is_at_most_one():
    assert predict(law(5.0), 1e3).error == 1.0
