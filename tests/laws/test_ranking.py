"""Rankings: intervals against scipy's, coverage on data with known means, the correction to equal MACs."""

import math

import numpy as np
import pytest
from scipy import stats

from scaling.laws.ranking import at_macs, exponent, rank, studentized_range

SCORES = [[0.70, 0.72, 0.71], [0.80, 0.79, 0.81], [0.79, 0.80, 0.78]]


@pytest.mark.parametrize(("settings", "freedom"), [(2, 4), (3, 6), (12, 24), (30, 60)])
def test_simulated_quantiles_are_tukeys(settings, freedom):
    exact = stats.studentized_range.ppf(0.95, settings, freedom)
    assert studentized_range(settings, freedom, 0.95) == pytest.approx(exact, rel=0.01)


def test_the_interval_of_a_mean_is_students():
    ranked = rank(SCORES)
    pooled = math.sqrt(np.mean([np.var(runs, ddof=1) for runs in SCORES]))
    assert ranked.deviation == pytest.approx(pooled) and ranked.freedom == 6
    assert ranked.half_width(0) == pytest.approx(stats.t.ppf(0.975, 6) * pooled / math.sqrt(3), rel=0.01)


def test_margins_are_tukeys_honest_differences():
    ranked, exact = rank(SCORES), stats.tukey_hsd(*SCORES).confidence_interval(0.95)
    for i in range(3):
        for j in range(3):
            margin = ranked.margin(i, j)
            assert margin.low == pytest.approx(exact.low[i, j], abs=2e-4)
            assert margin.high == pytest.approx(exact.high[i, j], abs=2e-4)
    assert ranked.order == (1, 2, 0) and ranked.separable == [(1, 0), (2, 0)]


def test_equal_settings_are_told_apart_in_one_study_of_twenty():
    random = np.random.default_rng(0)
    wrong = [bool(rank(random.normal(0.8, 0.01, (12, 3)).tolist()).separable) for _ in range(400)]
    assert 0.02 < np.mean(wrong) < 0.09


def test_one_run_each_ranks_but_separates_nothing():
    ranked = rank([[0.7], [0.9]])
    assert ranked.order == (1, 0) and ranked.deviation is None and ranked.half_width(0) is None
    assert ranked.margin(1, 0).low is None and not ranked.separable


def test_more_runs_of_a_setting_narrow_its_own_interval():
    ranked = rank([[0.7, 0.72, 0.71, 0.71, 0.7, 0.72], [0.8, 0.79]])
    assert ranked.half_width(0) < ranked.half_width(1)


@pytest.mark.parametrize("scores", [[[0.7, 0.8]], [[0.7], []]])
def test_what_cannot_be_ranked_is_refused(scores):
    with pytest.raises(ValueError, match="two settings or more"):
        rank(scores)
    with pytest.raises(ValueError, match="level=1"):
        rank(SCORES, level=1)


def test_accuracies_of_one_law_are_equal_at_equal_macs():
    errors = {macs: 0.3 * (macs / 1e6) ** -0.2 for macs in (1e6, 1.8e6, 2.3e6)}
    b = exponent(1e6, errors[1e6], 2.3e6, errors[2.3e6])
    assert b == pytest.approx(0.2)
    assert at_macs(1 - errors[1.8e6], 1.8e6, 2e6, b) == pytest.approx(
        at_macs(1 - errors[2.3e6], 2.3e6, 2e6, b)
    )
    with pytest.raises(ValueError, match="no power law"):
        exponent(1e6, 0.3, 1e6, 0.2)
