"""Pictures of what a detector found beside what is there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scaling.tasks.average_precision import Boxes

# Of classes, by number: Okabe and Ito's, which are told apart by all kinds of sight
COLOURS = ("#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7")
TRUTH = "#ffffff"


def draw_boxes(
    pixels_hwc: np.ndarray, predicted: Boxes, truth: Boxes, names: Sequence[str], least_score: float = 0.3
) -> np.ndarray:
    """Return the image, uint8 (h, w, 3), with true boxes in white and predicted ones in their class's colour.

    Boxes are in pixels; predictions below `least_score` are left out, each of the others says its class and
    score.
    """
    from PIL import Image, ImageDraw

    image = Image.fromarray(np.broadcast_to(pixels_hwc, (*pixels_hwc.shape[:2], 3)).astype(np.uint8))
    pen = ImageDraw.Draw(image)
    for box in truth.boxes:
        pen.rectangle(_corners(box), outline=TRUTH, width=1)
    for box, kind, score in sorted(zip(*predicted), key=lambda one: one[2]):  # the best on top
        if score >= least_score:
            colour = COLOURS[int(kind) % len(COLOURS)]
            pen.rectangle(_corners(box), outline=colour, width=2)
            pen.text(_corners(box)[:2], f"{names[int(kind)]} {score:.2f}", fill=colour)
    return np.asarray(image)


def _corners(box: np.ndarray) -> tuple[float, float, float, float]:
    """The outermost pixels of a box."""
    x1, y1, x2, y2 = map(float, box)
    return x1, y1, max(x1, x2 - 1), max(y1, y2 - 1)
