"""The network of least predicted error, and how far the runs decide it."""

import numpy as np
import pytest

from scaling.laws.choose import Candidate, choose
from scaling.laws.power import fit


def law(factor=1.0, seed=0, sizes=6):
    x = np.geomspace(1e6, 1e8, sizes)
    y = factor * 0.1 * (x / 1e7) ** -0.3
    return fit(x, y * np.exp(0.05 * np.random.default_rng(seed).standard_normal(sizes)), 1e-6, resamples=100)


def test_along_one_law_the_largest_wins_in_every_resample():
    found = law()
    choice = choose([Candidate(str(x), found, x) for x in (1e7, 4e7, 2e7)])
    assert choice.best.x == 4e7 and choice.share == 1
    assert choice.among == (choice.best,)
    assert choice.error == pytest.approx(found.error([4e7])[0])
    np.testing.assert_allclose(choice.interval, np.concatenate(found.band([4e7])))


def test_networks_that_cannot_be_told_apart_are_all_named():
    same = [Candidate(name, law(seed=3), 1e7) for name in "ab"]
    bad = Candidate("bad", law(3.0), 1e7)
    choice = choose([*same, bad])
    assert {c.label for c in choice.among} == {"a", "b"}
    assert 0.3 <= choice.share <= 0.7


def test_a_clear_winner_stands_alone():
    choice = choose([Candidate("bad", law(3.0), 1e7), Candidate("good", law(seed=1), 1e7)])
    assert choice.best.label == "good" and choice.share == 1 and choice.among == (choice.best,)


def test_which_length_of_training_pays_for_a_larger_network():
    """Two networks cross: the small one is best for a small budget, the large one for a large."""
    flops = np.geomspace(1e9, 1e11, 6)
    small = fit(flops, 0.2 + 0.1 * (flops / 1e10) ** -0.3, 1e-6, resamples=20)
    large = fit(flops, 0.05 + 0.25 * (flops / 1e10) ** -0.3, 1e-6, resamples=20)
    best = [
        choose([Candidate("small", small, budget), Candidate("large", large, budget)]).best.label
        for budget in (2e9, 9e10)
    ]
    assert best == ["small", "large"]


def test_nothing_to_choose_from_is_an_error():
    with pytest.raises(ValueError, match="budget that pays"):
        choose([])
