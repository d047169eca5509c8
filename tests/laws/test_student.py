"""Student's quantile is that of SciPy."""

import pytest
from scipy import stats

from scaling.laws.student import student_quantile


@pytest.mark.parametrize("freedom", [1.0, 2.5, 30.0, 1e5])
def test_the_quantile_is_scipys(freedom):
    assert student_quantile(freedom, 0.95) == pytest.approx(stats.t.ppf(0.975, freedom), rel=1e-4)
