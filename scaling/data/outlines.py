"""What a thing covers, as COCO's annotations say it: polygons, or the lengths of runs of pixels.

Runs go down the columns, from the left, and begin with those that are not covered; as text each is the
difference to the one before the last, five bits a character. Source: the COCO data format and its tools.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

FIRST = 48  # the character that stands for 0
MORE, NEGATIVE = 0x20, 0x10  # bits of a character: that another follows, and of the last one the sign


def covered(outline: Any, height: int, width: int) -> np.ndarray:
    """Return which pixels an annotation's "segmentation" covers, bool (height, width).

    ValueError where it says nothing, or not as COCO does.
    """
    if isinstance(outline, dict):
        return _of_runs(outline, height, width)
    if not isinstance(outline, list) or not outline:
        raise ValueError(f"segmentation={outline!r:.80} is neither polygons nor run lengths")
    return _of_polygons(outline, height, width)


def _of_polygons(polygons: Sequence[Any], height: int, width: int) -> np.ndarray:
    mask = np.zeros((height, width), bool)
    for corners in polygons:
        numbers = np.asarray(corners, np.float64)
        if numbers.ndim != 1 or len(numbers) < 6 or len(numbers) % 2 or not np.all(np.isfinite(numbers)):
            raise ValueError(f"a polygon is {corners!r:.80}, not x and y of at least three corners")
        mask |= _of_polygon(numbers.reshape(-1, 2), height, width)
    return mask


def _of_polygon(corners_c2: np.ndarray, height: int, width: int) -> np.ndarray:
    """The pixels whose centres lie within: those that an odd number of edges pass on their left."""
    (x_c, y_c), (to_x_c, to_y_c) = corners_c2.T, np.roll(corners_c2, -1, 0).T
    centre_h1 = np.arange(height)[:, None] + 0.5
    row_k, edge_k = np.nonzero((y_c > centre_h1) != (to_y_c > centre_h1))
    slope_k = (to_x_c - x_c)[edge_k] / (to_y_c - y_c)[edge_k]
    at_k = x_c[edge_k] + slope_k * (centre_h1[row_k, 0] - y_c[edge_k])
    passed = np.zeros((height, width + 1), np.int32)
    np.add.at(passed, (row_k, np.clip(np.ceil(at_k - 0.5), 0, width).astype(int)), 1)
    return np.cumsum(passed, 1)[:, :width] % 2 == 1


def _of_runs(told: dict[str, Any], height: int, width: int) -> np.ndarray:
    counts, size = told.get("counts"), told.get("size")
    runs = _read(counts) if isinstance(counts, str) else counts
    if size != [height, width] or not isinstance(runs, list):
        raise ValueError(
            f"run lengths say size={size!r} and counts={counts!r:.40}, of an image of {height}x{width} rows and columns"
        )
    lengths = np.asarray(runs, np.int64)
    if lengths.ndim != 1 or np.any(lengths < 0) or lengths.sum() != height * width:
        raise ValueError(f"run lengths have {lengths.sum()} pixels, of an image of {height}x{width}")
    return np.repeat(np.arange(len(lengths)) % 2 == 1, lengths).reshape(width, height).T


def _read(text: str) -> list[int]:
    """The lengths that text stands for."""
    found: list[int] = []
    value, place = 0, 0
    for character in text:
        bits = ord(character) - FIRST
        value |= (bits & (MORE - 1)) << place
        place += 5
        if bits & MORE:
            continue
        if bits & NEGATIVE:
            value -= 1 << place
        found.append(value + (found[-2] if len(found) > 2 else 0))
        value, place = 0, 0
    return found
