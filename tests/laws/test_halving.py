"""Successive halving: its rungs, what it spends, and how often it drops the best."""

import math

import numpy as np
import pytest
from scipy import stats

from scaling.laws.halving import best, kept, risk, saving, schedule, survivors


def test_rungs_end_at_the_full_length_and_grow_by_eta():
    rungs = schedule(13, 3, 3)
    assert [rung.fraction for rung in rungs] == pytest.approx([1 / 9, 1 / 3, 1])
    assert [rung.settings for rung in rungs] == [13, 5, 2]
    for eta, count in ((1, 2), (3, 1)):
        with pytest.raises(ValueError, match="eta"):
            schedule(13, eta, count)


def test_the_best_go_on():
    assert kept(12, 3) == 4 and kept(13, 3) == 5 and kept(2, 3) == 1
    assert survivors([[0.1, 0.2], [0.9], [], [0.5, 0.5]], 2) == [1, 3]
    assert best([0.1, -math.inf, 0.9, 0.1, 0.5], 4) == [2, 4, 0, 3]


def test_saving_counts_every_step_of_every_rung():
    # 12 x 100 + 4 x 300 against 12 x 300; then a third rung of 2 points
    assert saving([(12, 100), (4, 300)]) == pytest.approx(1 - 2400 / 3600)
    assert saving([(12, 100), (4, 300), (2, 900)]) == pytest.approx(1 - (1200 + 1200 + 1800) / 10800)
    assert saving([(12, 250), (4, 300)]) < 0


def test_short_runs_that_agree_carry_no_risk_and_those_that_do_not_all_of_it():
    full = [[i / 10, i / 10 + 0.001, i / 10 - 0.001] for i in range(6)]
    safe, certain = risk(full, full, 2), risk(full[::-1], full, 2)
    assert (safe.dropped, certain.dropped) == (0, 1)
    assert safe.correlation == pytest.approx(1) and certain.correlation == pytest.approx(-1)


def test_pure_noise_drops_the_best_as_often_as_chance_does():
    # no differences but noise: the best of 12 is among 4 of the other grid's best one time in three
    random = np.random.default_rng(3)
    found = [
        risk(
            random.normal(0, 1, (12, 3)).tolist(), random.normal(0, 1, (12, 3)).tolist(), 4, resamples=300
        ).dropped
        for _ in range(60)
    ]
    assert np.mean(found) == pytest.approx(2 / 3, abs=0.08)


def test_correlation_is_spearmans_with_ties():
    a, b = [0.1, 0.2, 0.2, 0.4, 0.3], [0.2, 0.1, 0.4, 0.5, 0.3]
    found = risk([[x] for x in a], [[x] for x in b], 2)
    assert found.correlation == pytest.approx(stats.spearmanr(a, b).statistic) and found.interval is None
    assert found.dropped == 0.0  # one run each: the best is the best


def test_settings_must_match():
    with pytest.raises(ValueError, match="same settings"):
        risk([[0.1]], [[0.1], [0.2]], 1)
