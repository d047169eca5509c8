"""What is drawn lies where the boxes are, and an image's score is that of its boxes."""

import numpy as np
import pytest

from scaling.tasks.box_panels import box_panels, image_score

SEEN = {
    "boxes": np.array([[0.1, 0.1, 0.5, 0.5], [0, 0, 0, 0]]),
    "label": np.array([1, -1]),
    "predicted": np.array([[0.1, 0.1, 0.5, 0.5], [0.6, 0.6, 0.9, 0.9], [0.6, 0.1, 0.9, 0.4], [0, 0, 0, 0]]),
    "score": np.array([0.9, 0.8, 0.1, 0.0]),
    "class": np.array([1, 0, 0, -1]),
}


def test_boxes_are_outlined_and_faint_predictions_left_out():
    panels = box_panels(np.zeros((40, 40, 1), np.uint8), SEEN, ("cat", "dog"))
    truth, predicted = panels["truth"], panels["predicted"]
    assert truth.shape == predicted.shape == (400, 400, 3)
    assert truth[40, 40:200].any(-1).all() and predicted[40, 40:200].any(-1).all()
    assert not truth[240:].any() and predicted[240, 240:360].any(-1).all()
    assert not predicted[:160, 240:].any()


def test_the_score_is_the_average_precision_of_the_image():
    assert image_score(SEEN) == pytest.approx(1)  # class 0 has no true box, so it counts for nothing
    assert image_score({**SEEN, "class": np.array([0, 1, 0, -1])}) == 0
    empty = {**SEEN, "label": np.array([-1, -1])}
    assert image_score(empty) == 0 and image_score({**empty, "score": np.array([0.2, 0, 0, 0])}) == 1
