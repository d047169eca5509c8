"""The area under a ROC curve, exactly, of scores and a truth in NumPy."""

from __future__ import annotations

import numpy as np


def area_under_roc(scores: np.ndarray, truth: np.ndarray) -> float:
    """The chance that a positive example scores above a negative one, ties by half; 0.5 without either."""
    positive = int(truth.sum())
    if not 0 < positive < len(truth):
        return 0.5
    _, place, count = np.unique(scores, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2)[place]
    return float((rank[truth].sum() - positive * (positive + 1) / 2) / (positive * (len(truth) - positive)))
