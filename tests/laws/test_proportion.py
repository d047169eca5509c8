"""Wilson's interval against scipy's, its ends, and how often it holds the truth."""

import numpy as np
import pytest
from scipy import stats

from scaling.laws.proportion import wilson


@pytest.mark.parametrize(("right", "count"), [(0, 10), (10, 10), (9, 10), (353, 360), (7_500, 10_000)])
@pytest.mark.parametrize("level", [0.5, 0.95])
def test_it_is_scipys(right, count, level):
    theirs = stats.binomtest(right, count).proportion_ci(level, method="wilson")
    assert wilson(right / count, count, level) == pytest.approx(theirs, abs=1e-12)


def test_it_holds_the_truth_about_95_times_in_100():
    truth, count = 0.97, 400
    found = np.random.default_rng(0).binomial(count, truth, 2000) / count
    held = np.mean([low <= truth <= high for low, high in (wilson(share, count) for share in found)])
    assert 0.93 < held < 0.97


@pytest.mark.parametrize(("share", "count"), [(0.5, 0), (1.1, 10), (-0.1, 10)])
def test_what_is_no_share_is_refused(share, count):
    with pytest.raises(ValueError, match="no interval"):
        wilson(share, count)
