"""Things with masks as pictures: each in a colour of its own, and how good the answer to one image is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scaling.tasks.answers import Said
from scaling.tasks.box_panels import counted
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


def said_things(
    pixels_hwc: np.ndarray, seen: Mapping[str, Any], class_names: Sequence[str], most: int
) -> Said:
    """How many things of each class are there, where, and which pixels of the picture are theirs."""
    sides = pixels_hwc.shape[:2]
    rows, columns = ((np.arange(new) * old // new) for new, old in zip(sides, seen["map"].shape))
    found_hw = seen["map"][rows][:, columns]
    order = np.argsort(-seen["score"], kind="stable")[:most]
    kept = [i for i in order if seen["score"][i] >= seen["sure"] and np.any(found_hw == i + 1)]
    numbers = np.zeros(len(seen["score"]) + 1, np.uint16)
    numbers[np.array(kept, int) + 1] = np.arange(1, len(kept) + 1)
    map_hw = numbers[found_hw]
    table = [_row(seen, i, class_names, sides, int(numbers[i + 1]), map_hw) for i in kept]
    shown = _laid_over(resized(pixels_hwc, map_hw.shape), map_hw)
    return Said(counted([row[0] for row in table]), table, {"": shown, "things": map_hw})


def _row(seen, index: int, class_names, sides: tuple[int, ...], number: int, map_hw: np.ndarray) -> tuple:
    box = seen["predicted"][index] * np.array([sides[1], sides[0]] * 2)
    name, score = class_names[int(seen["class"][index])], seen["score"][index]
    pixels = int(np.sum(map_hw == number))
    return name, f"{score:.4f}", *(f"{value:.1f}" for value in box), number, pixels


def _laid_over(image_hwc: np.ndarray, map_hw: np.ndarray) -> np.ndarray:
    """An image, its things under colours, of which neighbours in number have different ones."""
    coloured = laid_over(image_hwc, 1 + (map_hw.astype(int) - 1) % COLOURS, np.ones(map_hw.shape, bool))
    return np.where(map_hw[..., None] > 0, coloured, image_hwc)
