"""What is drawn lies where the boxes are."""

import numpy as np

from scaling.tasks.average_precision import Boxes
from scaling.tasks.drawing import draw_boxes


def test_boxes_are_outlined_and_faint_predictions_left_out():
    truth = Boxes(np.array([[2.0, 2, 10, 10]]), np.array([0]))
    predicted = Boxes(np.array([[20.0, 20, 38, 38], [0, 20, 9, 29]]), np.array([1, 0]), np.array([0.9, 0.1]))
    image = draw_boxes(np.zeros((40, 40, 1), np.uint8), predicted, truth, ("cat", "dog"))
    assert image.shape == (40, 40, 3) and image[2, 2:10].min() == 255 and not image[5, 5].any()
    assert image[30, 20].any() and image[30, 37].any() and not image[30, 38:].any()
    assert not image[20:29, 0:9].any()
