"""scikit-learn's 1,797 handwritten digits, 8 x 8 grey: the set that needs no file and no network."""

from __future__ import annotations

import numpy as np

from scaling.data.source import Source
from scaling.data.splits import ArraySplit, parse
from scaling.runs.spec import DataSpec

SPLITS = ("train", "test")
TEST_EVERY = 5  # of each class, in stored order, every fifth image is a test image


def open_digits(data: DataSpec, side: int) -> Source:
    """Open the set; splits "train" (1,442 images) and "test" (355), both with every class."""
    del data, side
    return Source("digits", tuple("0123456789"), 1, lambda split: parse(split, SPLITS), _read)


def _read(split: str) -> ArraySplit:
    from sklearn.datasets import load_digits

    name, part = parse(split, SPLITS)
    values, labels = load_digits(return_X_y=True)
    is_test = np.zeros(len(labels), bool)
    for digit in range(10):
        is_test[np.flatnonzero(labels == digit)[TEST_EVERY - 1 :: TEST_EVERY]] = True
    rows = np.flatnonzero(is_test if name == "test" else ~is_test)
    rows = rows[part(len(rows))]
    images = np.round(values[rows].reshape(-1, 8, 8, 1) * (255 / 16)).astype(np.uint8)
    return ArraySplit(images, labels[rows].astype(np.int32))
