"""Average precision as COCO defines it, of all images at once, in NumPy; pycocotools is the tests' oracle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

THRESHOLDS = np.linspace(0.5, 0.95, 10)  # of IoU
RECALLS = np.linspace(0.0, 1.0, 101)
PER_IMAGE = 100  # detections of a class of an image that count, the best


class Boxes(NamedTuple):
    """Boxes of one image: (n, 4) x1 y1 x2 y2, classes (n,) from 0, and scores (n,) where they are
    predicted."""

    boxes: np.ndarray
    classes: np.ndarray
    scores: np.ndarray = np.zeros(0)


def average_precision(
    predicted: Sequence[Boxes],
    truth: Sequence[Boxes],
    classes: int,
    ious: Sequence[np.ndarray] | None = None,
) -> np.ndarray:
    """Return the average precision (thresholds, classes), NaN for classes without a true box.

    A prediction, the best first, takes the true box of its class that it overlaps most of those that no
    better one has, where IoU reaches the threshold. Precision, made monotone, is averaged over `RECALLS`.
    `ious` are those of each image's predicted and true things (None: of their boxes).
    """
    every = ious or [_ious(own.boxes, true.boxes) for own, true in zip(predicted, truth)]
    found = np.full((len(THRESHOLDS), classes), np.nan)
    for k in range(classes):
        scores, hits, count = [], [], 0
        for own, true, pairs in zip(predicted, truth, every):
            there, order = np.flatnonzero(true.classes == k), np.flatnonzero(own.classes == k)
            order = order[np.argsort(-own.scores[order], kind="stable")][:PER_IMAGE]
            scores.append(own.scores[order])
            hits.append(_hits(pairs[np.ix_(order, there)]))
            count += len(there)
        if count:
            found[:, k] = _area_under(np.concatenate(scores), np.concatenate(hits), count)
    return found


def summary(found: np.ndarray) -> dict[str, float]:
    """The means over classes that occur: over all thresholds, at 0.5 and at 0.75; 0 where none occurs."""
    with_boxes = found[:, ~np.isnan(found[0])]
    rows = {"ap": slice(None), "ap50": 0, "ap75": 5}
    return {name: float(with_boxes[row].mean()) if with_boxes.size else 0.0 for name, row in rows.items()}


def _hits(ious: np.ndarray) -> np.ndarray:
    """Which predictions (the best first) take a true box, bool (predictions, thresholds)."""
    hits = np.zeros((len(ious), len(THRESHOLDS)), bool)
    if not ious.size:
        return hits
    taken = np.zeros((len(THRESHOLDS), ious.shape[1]), bool)
    rows = np.arange(len(THRESHOLDS))
    for i, overlaps in enumerate(ious):
        open_ones = np.where(taken, -1.0, overlaps)
        # of equal overlaps the last one is taken, as pycocotools does
        best = ious.shape[1] - 1 - np.argmax(open_ones[:, ::-1], 1)
        hits[i] = open_ones[rows, best] >= THRESHOLDS
        taken[rows[hits[i]], best[hits[i]]] = True
    return hits


def _area_under(scores: np.ndarray, hits: np.ndarray, count: int) -> np.ndarray:
    """Mean precision at `RECALLS` for each threshold; 0 at recalls that are not reached."""
    hits = hits[np.argsort(-scores, kind="stable")]
    right = np.cumsum(hits, 0)
    recall = right / count
    precision = right / np.arange(1, len(hits) + 1)[:, None]
    precision = np.maximum.accumulate(precision[::-1], 0)[::-1]
    found = np.zeros(len(THRESHOLDS))
    for t in range(len(THRESHOLDS)):
        at = np.searchsorted(recall[:, t], RECALLS)
        found[t] = np.where(at < len(hits), np.append(precision[:, t], 0.0)[at], 0.0).mean()
    return found


def _ious(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Intersection over union of every pair, (n, m)."""
    start = np.maximum(one[:, None, :2], other[None, :, :2])
    stop = np.minimum(one[:, None, 2:], other[None, :, 2:])
    shared = np.prod(np.maximum(stop - start, 0), -1)
    sizes = [np.prod(boxes[:, 2:] - boxes[:, :2], -1) for boxes in (one, other)]
    union = sizes[0][:, None] + sizes[1][None] - shared
    return np.divide(shared, union, out=np.zeros_like(shared, dtype=float), where=union > 0)
