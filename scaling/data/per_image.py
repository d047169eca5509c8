"""An image normalised by its own values instead of the training set's; the same for NumPy and JAX."""

from __future__ import annotations

from typing import Any

EPS = 1e-6  # of a constant image
AXES = (-3, -2, -1)


def _min_max(x: Any) -> Any:
    low, high = x.min(AXES, keepdims=True), x.max(AXES, keepdims=True)
    return (x - low) / (high - low + EPS)


def _z_score(x: Any) -> Any:
    return (x - x.mean(AXES, keepdims=True)) / (x.std(AXES, keepdims=True) + EPS)


def _l1(x: Any) -> Any:
    return x / (x.mean(AXES, keepdims=True) + EPS)


def _l2(x: Any) -> Any:
    return x / ((x * x).mean(AXES, keepdims=True) ** 0.5 + EPS)


# To [0, 1]; to mean 0 and deviation 1; to an Lp norm that makes the mean of |value|**p 1
NORMALISED = {"min_max": _min_max, "z_score": _z_score, "l1": _l1, "l2": _l2}


def normalised(x: Any, how: str) -> Any:
    """Return float32 (..., h, w, c) of pixels in [0, 255], each image by `NORMALISED[how]` of its own."""
    return NORMALISED[how](x.astype("float32") / 255)
