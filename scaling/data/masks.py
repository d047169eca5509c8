"""Masks, a class for every pixel: what their values say, and examples that are an image and a mask each.

A mask's values are classes, numbered from 0. `data.void` is a value that counts for nothing, and
`data.binary` makes all values above 0 class 1."""

from __future__ import annotations

import collections
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from scaling.data import photos
from scaling.data.splits import ArraySplit
from scaling.runs.spec import DataSpec

VOID = 255  # the class of pixels that count for nothing, whatever value the files have
ALL_VOID = "its mask is void everywhere"
NAMED = 5  # files that an error spells out


class Pair(NamedTuple):
    """An encoded image and its mask, each read when asked for; `image_name` and `mask_name` find them."""

    image_name: str
    mask_name: str
    image: Callable[[], bytes]
    mask: Callable[[], Any]


class Decoded(NamedTuple):
    """Pixels uint8[side, side, C], the size (width, height) that the image had, classes uint8[H, W]."""

    pixels: np.ndarray
    size: tuple[int, int]
    classes: np.ndarray


def in_memory(read: Mapping[Pair, Decoded], problems: Sequence[str]) -> ArraySplit:
    """A split of what `decoded` gave."""
    images, masks = (np.stack([found[i] for found in read.values()]) for i in (0, 2))
    return ArraySplit(images, np.zeros(len(read), np.int32), tuple(problems), {"mask": masks})


def decoded(
    split: str,
    pairs: Sequence[Pair],
    data: DataSpec,
    side: int,
    channels: int = 3,
    mask_side: int | None = None,
    problems: Sequence[str] = (),
    decode_mask: Callable[[Any, DataSpec], np.ndarray] | None = None,
) -> tuple[dict[Pair, Decoded], list[str]]:
    """Decode one split: return the pairs that can be used, and what is to be said of others after `problems`.

    Images are squeezed to `side`; masks are brought to `mask_side` (None: they stay as they are, and one of
    another size than most is left out). `decode_mask` reads one (None: as classes). ValueError where more is
    left out than used."""
    bad, read = list(problems), dict[Pair, Decoded]()
    read_mask = decode_mask or _decode_mask
    decode = lambda pair: _attempt(pair, data, side, channels, mask_side, read_mask)
    for pair, found in zip(pairs, photos.in_threads(decode, pairs)):
        if isinstance(found, Decoded):
            read[pair] = found
        else:
            bad.append(f"{pair.image_name}: {found}")
    sizes = collections.Counter(found.classes.shape for found in read.values())
    usual = max(sizes, key=lambda size: sizes[size], default=(0, 0))
    for pair, found in list(read.items()):
        if problem := _misfit(found, usual, mask_side):
            bad.append(f"{pair.mask_name}: {problem}")
            del read[pair]
    check_usable(split, len(read), bad)
    return read, bad


def _attempt(
    pair: Pair,
    data: DataSpec,
    side: int,
    channels: int,
    mask_side: int | None,
    read_mask: Callable[[Any, DataSpec], np.ndarray],
) -> Decoded | Exception:
    """Decode a pair, or return why it cannot be decoded."""
    from PIL import Image

    try:
        encoded, classes = pair.image(), read_mask(pair.mask(), data)
        size = photos.size_of(encoded)
        if mask_side is not None:
            if apart := _apart(classes.shape, size):
                return ValueError(f"its mask {apart}")
            squeezed = Image.fromarray(classes).resize((mask_side, mask_side), Image.Resampling.NEAREST)
            classes = np.asarray(squeezed, classes.dtype)
        return Decoded(photos.decode(encoded, side, channels), size, classes)
    except Exception as error:  # noqa: BLE001 - Pillow raises nearly anything on damaged data
        return error


def _misfit(found: Decoded, usual: tuple[int, ...], mask_side: int | None) -> str:
    """Say how a mask's size differs from its split's or does not belong to its image; "" where it fits."""
    height, width = found.classes.shape
    if (height, width) != usual:
        most = f"{usual[1]}x{usual[0]}"
        return f"is {width}x{height}, most masks of the split {most}: bring all to one size"
    return _apart(found.classes.shape, found.size) if mask_side is None else ""


def _apart(shape: tuple[int, ...], size: tuple[int, int]) -> str:
    """Say how a mask's shape is not that of an image of `size` (width, height); "" where it is."""
    (height, width), (across, down) = shape, size
    # By a pixel of the larger side at most: what halving odd sides leaves
    if abs(width * down - height * across) > max(width, height, across, down):
        return f"is {width}x{height}, its image {across}x{down}: a mask must show what its image shows"
    return ""


def check_usable(split: str, count: int, problems: Sequence[str]) -> None:
    """Raise ValueError where a split has fewer examples than problems, or none."""
    if len(problems) > count or not count:
        raise ValueError(
            f"split {split!r}: {len(problems)} of {len(problems) + count} images cannot be used, more than half: "
            + "; ".join(problems[:NAMED])
        )


def _decode_mask(encoded: bytes, data: DataSpec) -> np.ndarray:
    """An encoded mask as classes, uint8[H, W]; ValueError for a colour image, or one that is void alone."""
    from PIL import Image

    with Image.open(io.BytesIO(encoded), formats=("PNG",)) as image:
        if image.mode not in ("L", "P", "1"):
            raise ValueError(
                f"its mask has mode {image.mode}: store classes as numbers in a grey or palette PNG"
            )
        classes = as_classes(np.asarray(image, np.uint8), data)
    if np.all(classes == VOID):
        raise ValueError(ALL_VOID)
    return classes


def as_classes(values: np.ndarray, data: DataSpec) -> np.ndarray:
    """Masks' values from 0 to 255 as classes, uint8, with VOID where nothing counts."""
    classes = (np.minimum(values, 1) if data.binary else values).astype(np.uint8)
    if data.void is not None:
        classes[values == data.void] = VOID
    return classes


def number_classes(train: ArraySplit) -> tuple[str, ...]:
    """Names for classes that nobody named: numbers up to the largest in the training masks.

    ValueError where these hold no two classes, or fewer than half of so many.
    """
    seen = _classes(train)
    if len(seen) < 2:
        void = " and 255, which counts for nothing" if np.any(train.extra["mask"] == VOID) else ""
        raise ValueError(
            f"the training masks hold class {', '.join(map(str, seen))} alone{void}: set data.binary=True, without "
            "data.void, where all values above 0 are one class, or store classes as numbers from 0."
        )
    if 2 * len(seen) < seen[-1] + 1:
        raise ValueError(
            f"the training masks hold {len(seen)} values up to {seen[-1]}, which would be {seen[-1] + 1} classes: store "
            "classes as numbers from 0 without gaps, set data.binary=True, or name every class."
        )
    return tuple(str(i) for i in range(seen[-1] + 1))


def check_classes(split: str, examples: ArraySplit, class_names: Sequence[str], named: str) -> None:
    """Raise ValueError where a mask has a class that is not among the names, which stand in `named`."""
    largest = max(_classes(examples), default=0)
    if largest >= len(class_names):
        raise ValueError(
            f"split {split!r} has a mask with class {largest}, but there are {len(class_names)} classes, "
            f"from 0: name all of them in {named}, or set data.void to the value that counts for nothing."
        )


def _classes(examples: ArraySplit) -> list[int]:
    """The classes that occur in any mask, in order."""
    seen = np.zeros(VOID + 1, bool)
    seen[examples.extra["mask"]] = True
    return np.flatnonzero(seen[:VOID]).tolist()
