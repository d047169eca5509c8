"""Masks as pictures: a colour a class, laid over the image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from scaling.data.masks import VOID
from scaling.tasks.answers import Said

OPACITY = 0.6  # of a class over the image
COLOURS = 255  # that a class or thing may have, beside black
SHARE_COLUMNS = ("class", "share")
GREY = 160  # of pixels that count for nothing


def mask_panels(
    pixels_hwc: np.ndarray, seen: dict[str, Any], class_names: Sequence[str]
) -> dict[str, np.ndarray]:
    """An image, its mask and the predicted classes, at the mask's size."""
    del class_names
    mask_hw, predicted_hw = seen["mask"], seen["predicted"]
    image = resized(pixels_hwc, mask_hw.shape)
    known = mask_hw != VOID
    return {
        "image": image,
        "truth": laid_over(image, mask_hw, known),
        "predicted": laid_over(image, predicted_hw, np.ones_like(known)),
    }


def said_shares(pixels_hwc: np.ndarray, seen: dict[str, Any], class_names: Sequence[str], most: int) -> Said:
    """What share of the picture's pixels each class has, and the classes as a map of the picture's size."""
    map_hw = _classes_at(seen["scores"], pixels_hwc.shape[:2])
    shares = np.bincount(map_hw.ravel(), minlength=len(class_names)) / map_hw.size
    order = [i for i in np.argsort(-shares, kind="stable")[:most] if shares[i]]
    line = ", ".join(f"{class_names[i]} {100 * shares[i]:.1f} %" for i in order)
    rows = [(name, f"{share:.6f}") for name, share in zip(class_names, shares)]
    shown = laid_over(resized(pixels_hwc, map_hw.shape), map_hw, np.ones(map_hw.shape, bool))
    return Said(line, rows, {"": shown, "classes": map_hw})


def _classes_at(scores_hwk: np.ndarray, sides: tuple[int, ...]) -> np.ndarray:
    """The likeliest class of each pixel of a picture, uint8, scores between those given being bilinear."""
    from PIL import Image

    planes = [Image.fromarray(plane) for plane in np.moveaxis(scores_hwk.astype(np.float32), 2, 0)]
    stretched = [plane.resize((sides[1], sides[0]), Image.Resampling.BILINEAR) for plane in planes]
    return np.argmax([np.asarray(plane) for plane in stretched], 0).astype(np.uint8)


def colours(count: int) -> np.ndarray:
    """Colours uint8 (count, 3) that stay apart, black first: those of Pascal VOC's masks."""
    classes = np.arange(count)
    channels = [
        sum(((classes >> 3 * bit + channel) & 1) << 7 - bit for bit in range(8)) for channel in range(3)
    ]
    return np.stack(channels, 1).astype(np.uint8)


def laid_over(image_hwc: np.ndarray, classes_hw: np.ndarray, known_hw: np.ndarray) -> np.ndarray:
    """An image under the colours of its pixels' classes, grey where they are not known."""
    painted = np.where(known_hw[..., None], colours(VOID + 1)[classes_hw], GREY)
    return np.round(OPACITY * painted + (1 - OPACITY) * image_hwc).astype(np.uint8)


def resized(pixels_hwc: np.ndarray, sides: tuple[int, ...]) -> np.ndarray:
    """The nearest pixels, in three channels."""
    rows, columns = ((np.arange(side) + 0.5) * old // side for side, old in zip(sides, pixels_hwc.shape))
    image = pixels_hwc[rows.astype(int)][:, columns.astype(int)]
    return np.broadcast_to(image, (*image.shape[:2], 3))
