"""A split is labelled images, in memory or decoded when asked for; and how one is cut into parts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from scaling.data import photos

VALIDATION_STREAM = 2**63  # keeps the cut apart from the epochs' orders, whose keys are small


@dataclass(frozen=True, eq=False)
class ArraySplit:
    """Images in memory: `images` uint8[N, H, W, C], `labels` int32[N]; `problems` lists what was left out.

    `extra` are more fields of each example by name, arrays [N, ...] such as masks; one that is called "label"
    takes the place of `labels` in examples.
    """

    images: np.ndarray
    labels: np.ndarray
    problems: tuple[str, ...] = ()
    extra: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> np.ndarray:
        return self.images[index]

    @property
    def side(self) -> int:
        """Height and width in pixels."""
        return self.images.shape[1]

    @property
    def channels(self) -> int:
        return self.images.shape[3]

    @property
    def fields(self) -> dict[str, np.ndarray]:
        """All that an example is made of, an array a field."""
        return {"image": self.images, "label": self.labels, **self.extra}

    @property
    def nbytes(self) -> int:
        return sum(array.nbytes for array in (self.images, *self.extra.values()))

    def take(self, rows: np.ndarray) -> ArraySplit:
        """The examples at `rows`, in that order."""
        extra = {name: array[rows] for name, array in self.extra.items()}
        return replace(self, images=self.images[rows], labels=self.labels[rows], extra=extra)


class Encoded(Protocol):
    """Random access to encoded images by row, from any thread; can be pickled."""

    def read(self, row: int) -> bytes:
        """The whole encoded image."""
        ...

    def describe(self, row: int) -> str:
        """The name by which a person finds it."""
        ...

    def looks_whole(self, row: int) -> bool:
        """Whether a glance says that it is undamaged; False is only a suspicion."""
        ...


@dataclass(frozen=True, eq=False)
class StreamSplit:
    """Encoded images, decoded and squeezed to `side` when indexed; `rows` are their rows in `encoded`.

    `extra` as in `ArraySplit`.
    """

    encoded: Encoded
    labels: np.ndarray
    rows: np.ndarray
    side: int
    channels: int = 3
    problems: tuple[str, ...] = ()
    extra: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> np.ndarray:
        """One image uint8[side, side, C]; ValueError naming the file where it cannot be decoded."""
        try:
            return self.decode(index)
        except Exception as error:  # Pillow raises nearly anything on damaged data
            raise ValueError(
                f"{self.describe(index)} cannot be decoded ({error}). It looked whole when the split was opened, "
                "and leaving it out now would change the run: repair or delete it and start again, or set "
                "data.resident=True, which decodes everything before the first step."
            ) from error

    def decode(self, index: int) -> np.ndarray:
        """One image, or whatever the decoder raises."""
        return photos.decode(self.encoded.read(int(self.rows[index])), self.side, self.channels)

    def screen(self, index: int) -> None:
        """Raise where the image is damaged, as far as a glance tells; decode it only on a suspicion."""
        if not self.encoded.looks_whole(int(self.rows[index])):
            self.decode(index)

    def describe(self, index: int) -> str:
        return self.encoded.describe(int(self.rows[index]))

    @property
    def nbytes(self) -> int:
        """The size once decoded."""
        return len(self) * self.side**2 * self.channels

    def take(self, rows: np.ndarray) -> StreamSplit:
        """The examples at `rows`, in that order."""
        extra = {name: array[rows] for name, array in self.extra.items()}
        return replace(self, labels=self.labels[rows], rows=self.rows[rows], extra=extra)


Split = ArraySplit | StreamSplit


def permutation(seed: int, stream: int, count: int) -> np.ndarray:
    """A permutation of range(count) that depends on (seed, stream) alone, in every NumPy version."""
    bits = np.random.Philox(key=np.array([seed % 2**64, stream], np.uint64)).random_raw(count)
    return np.argsort(bits, kind="stable")


def carve(labels: np.ndarray, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Cut range(N) into sorted (train, validation) rows, stratified: the same fraction of each class.

    Of a class with at least two examples, at least one goes to each side.
    """
    if not 0 < fraction < 1:
        raise ValueError(
            f"data.validation_fraction={fraction} must be above 0 and below 1 where data.validation names no "
            "split of its own: give a fraction such as 0.1, or the name of a split."
        )
    order = permutation(seed, VALIDATION_STREAM, len(labels))
    chosen = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        members = order[labels[order] == label]
        count = min(max(1, round(fraction * len(members))), len(members) - 1)
        chosen[members[:count]] = True
    return np.flatnonzero(~chosen), np.flatnonzero(chosen)


def parse(text: str, names: Iterable[str]) -> tuple[str, Callable[[int], slice]]:
    """Parse "train", "train[:80%]" or "train[100:200]" into a name and a slice for a given length.

    ValueError where the text is not of that form or the name is not among `names`.
    """
    match = re.fullmatch(r"\s*([^\[\]]+?)\s*(?:\[\s*(-?\d+%?)?\s*:\s*(-?\d+%?)?\s*\])?\s*", text)
    known = tuple(names)
    if not match or match[1] not in known:
        raise ValueError(
            f"split {text!r} is not known here: use one of {', '.join(known) or '(none found)'}, or a part of one "
            "such as 'train[:80%]' or 'train[100:200]'."
        )
    return match[1], lambda count: slice(_bound(match[2], count), _bound(match[3], count))


def _bound(text: str | None, count: int) -> int | None:
    if text is None:
        return None
    return round(int(text[:-1]) * count / 100) if text.endswith("%") else int(text)
