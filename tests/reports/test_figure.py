"""The picture names its curves: in a legend while they are few, beside the axes where that would cover it."""

import dataclasses
import itertools

import pytest
from matplotlib.figure import Figure

from scaling.reports.figure import MANY_CURVES, SIZE, save_curve
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


@pytest.mark.parametrize("scores", [(0.5, 0.5, 0.5), (0.5, 0.501, 0.502), (0.5,) * 6])
def test_labels_of_points_cover_none_of_each_other(scores, tmp_path, monkeypatch):
    """Of points at one place there are places for four labels; the others are left out."""
    drawn = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, path: drawn.append(figure))
    told = [
        dataclasses.replace(row, metrics={"val_top1": score, "test_top1": score})
        for row, score in zip(rows(len(scores)), scores)
    ]
    save_curve(Study(tuple(told)), "study", tmp_path / "curve.png")
    labels = [text for text in drawn[0].axes[0].texts if text.get_gid() == SIZE and text.get_visible()]
    boxes = [label.get_window_extent() for label in labels]
    assert len(labels) == min(4, len(scores))
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
