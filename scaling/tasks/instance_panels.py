"""Things with masks as pictures: each in a colour of its own, and how good the answer to one image is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scaling.tasks.mask_panels import COLOURS, laid_over, resized


def matched_share(overlaps: np.ndarray, threshold: float = 0.5) -> float:
    """Return TP / (TP + FP + FN) of one image, from the pixels of [predicted, true] things, 0 the background.

    A predicted thing is right where its IoU with a true one reaches the threshold, of at least 0.5, which one
    of each can. 1 where nothing is there and nothing was found. Source: arXiv 1806.03535 section 3.
    """
    shared = overlaps[1:, 1:]
    found, there = overlaps[1:].sum(1), overlaps[:, 1:].sum(0)
    union = found[:, None] + there[None] - shared
    hits = (union > 0) & (shared >= threshold * union)
    right = min(int(hits.any(0).sum()), int(hits.any(1).sum()))
    total = int((found > 0).sum() + (there > 0).sum()) - right
    return right / total if total else 1.0


def image_score(seen: Mapping[str, Any]) -> float:
    """The share of right things of one image at an IoU of 0.5."""
    predicted, truth = (seen[name].astype(int) for name in ("predicted", "truth"))
    shape = predicted.max() + 1, truth.max() + 1
    pairs = np.bincount((predicted * shape[1] + truth).ravel(), minlength=shape[0] * shape[1])
    return matched_share(pairs.reshape(shape))


def instance_panels(
    pixels_hwc: np.ndarray, seen: Mapping[str, Any], class_names: Sequence[str]
) -> dict[str, np.ndarray]:
    """An image, its things and the predicted ones, at the size of the map that numbers them."""
    del class_names
    image = resized(pixels_hwc, seen["truth"].shape)
    painted = {name: _laid_over(image, seen[name]) for name in ("truth", "predicted")}
    return {"image": image, **painted}


def _laid_over(image_hwc: np.ndarray, map_hw: np.ndarray) -> np.ndarray:
    """An image, its things under colours, of which neighbours in number have different ones."""
    coloured = laid_over(image_hwc, 1 + (map_hw.astype(int) - 1) % COLOURS, np.ones(map_hw.shape, bool))
    return np.where(map_hw[..., None] > 0, coloured, image_hwc)
