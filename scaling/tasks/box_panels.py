"""Boxes as pictures, and how good the answer to one image is: what is there beside what was found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scaling.tasks.answers import Said
from scaling.tasks.average_precision import Boxes, average_precision, summary

# Of classes, by number: Okabe and Ito's, which are told apart by all kinds of sight
COLOURS = ("#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7")
LEAST_DRAWN = 0.3  # of a score
BOX_COLUMNS = ("class", "score", "x1", "y1", "x2", "y2")
LONGER_SIDE = 400  # pixels, at least, so that names of classes can be read


def boxes_of(seen: Mapping[str, Any]) -> tuple[Boxes, Boxes]:
    """Predicted and true boxes of one image, from what `scaling.tasks.detection` gathers of it."""
    found, there = seen["score"] > 0, seen["label"] >= 0
    predicted = Boxes(seen["predicted"][found], seen["class"][found], seen["score"][found])
    return predicted, Boxes(seen["boxes"][there], seen["label"][there])


def image_score(seen: Mapping[str, Any]) -> float:
    """Average precision at IoU 0.5 of one image; 1 where nothing is there and nothing is drawn."""
    predicted, truth = boxes_of(seen)
    if not len(truth.boxes):
        return float(not np.any(predicted.scores >= LEAST_DRAWN))
    found = average_precision([predicted], [truth], int(truth.classes.max()) + 1)
    return summary(found)["ap50"]


def box_panels(
    pixels_hwc: np.ndarray, seen: Mapping[str, Any], class_names: Sequence[str]
) -> dict[str, np.ndarray]:
    """An image with its true boxes, and with the predicted ones that are sure enough, as uint8 (h, w, 3)."""
    predicted, truth = boxes_of(seen)
    sure = predicted.scores >= LEAST_DRAWN
    predicted = Boxes(predicted.boxes[sure], predicted.classes[sure], predicted.scores[sure])
    return {
        "truth": _drawn(pixels_hwc, truth, [class_names[int(kind)] for kind in truth.classes]),
        "predicted": _drawn(pixels_hwc, predicted, [f"{score:.2f}" for score in predicted.scores]),
    }


def sure_boxes(seen: Mapping[str, Any], most: int) -> tuple[Boxes, np.ndarray]:
    """The likeliest boxes of one image that are sure enough, and their places among all that was found."""
    order = np.argsort(-seen["score"], kind="stable")[:most]
    kept = order[seen["score"][order] >= LEAST_DRAWN]
    return Boxes(seen["predicted"][kept], seen["class"][kept], seen["score"][kept]), kept


def said_boxes(
    pixels_hwc: np.ndarray, seen: Mapping[str, Any], class_names: Sequence[str], most: int
) -> Said:
    """How many things of each class are there, and where: corners in pixels of the picture."""
    boxes, _ = sure_boxes(seen, most)
    height, width = pixels_hwc.shape[:2]
    names = [class_names[int(kind)] for kind in boxes.classes]
    corners = boxes.boxes * np.array([width, height] * 2)
    rows = [
        (name, f"{score:.4f}", *(f"{value:.1f}" for value in box))
        for name, score, box in zip(names, boxes.scores, corners)
    ]
    captions = [f"{name} {score:.2f}" for name, score in zip(names, boxes.scores)]
    return Said(counted(names), rows, {"": _drawn(pixels_hwc, boxes, captions)})


def counted(names: Sequence[str]) -> str:
    """How often each name occurs, the most frequent first."""
    counts = Counter(names).most_common()
    return ", ".join(f"{count} {name}" for name, count in counts) or "nothing"


def _drawn(pixels_hwc: np.ndarray, boxes: Boxes, captions: Sequence[str]) -> np.ndarray:
    """The image under boxes in the colours of their classes, the first on top."""
    from PIL import Image, ImageDraw

    height, width = pixels_hwc.shape[:2]
    factor = max(1, -(-LONGER_SIDE // max(height, width)))
    image = Image.fromarray(np.broadcast_to(pixels_hwc, (height, width, 3)).astype(np.uint8))
    image = image.resize((width * factor, height * factor))
    pen = ImageDraw.Draw(image)
    for box, kind, caption in reversed(list(zip(boxes.boxes, boxes.classes, captions))):
        x1, y1, x2, y2 = (float(one) for one in box * np.array(image.size * 2))
        colour = COLOURS[int(kind) % len(COLOURS)]
        pen.rectangle((x1, y1, max(x1, x2 - 1), max(y1, y2 - 1)), outline=colour, width=2)
        pen.text((x1 + 3, y1 + 2), caption, fill=colour)
    return np.asarray(image)
