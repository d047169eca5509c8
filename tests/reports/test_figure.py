"""The picture names its curves: in a legend while they are few, beside the axes where that would cover it."""

import dataclasses

import pytest

from scaling.reports.figure import MANY_CURVES, save_curve
from scaling.reports.study import Study
from scaling.runs.spec import RunSpec
from scaling.sweeps.run import lost_row


def rows(count: int) -> tuple:
    """One finished run of each of so many families."""
    base = lost_row(RunSpec(), "ok", "", 1.0)
    return tuple(
        dataclasses.replace(
            base,
            id=f"{i}",
            family=f"family{i}",
            macs=10**6 + i,
            metrics={"val_top1": 0.5, "test_top1": 0.5 + i / 100},
        )
        for i in range(count)
    )


@pytest.mark.representatives(1)
@pytest.mark.parametrize("count", [3, MANY_CURVES, MANY_CURVES + 1, 37])
def test_axes_have_room_however_many_curves_there_are(count, tmp_path, recwarn):
    save_curve(Study(rows(count)), "study", tmp_path / "curve.png")
    assert not [warning for warning in recwarn if "collapsed" in str(warning.message)]
