"""Pictures of any size without a label: grey ones as they are, coloured ones by their luminance.

`dir` holds a folder or a .zip or .tar of pictures for each split. An example is a square canvas with the
picture at its top left, black elsewhere, and the picture's `size`."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from scaling.border import archives
from scaling.border.archives import Member
from scaling.border.fingerprint import of_files
from scaling.data import photos
from scaling.data.masks import check_usable
from scaling.data.source import Source
from scaling.data.splits import ArraySplit, parse
from scaling.runs.pinning import confirm_data
from scaling.runs.spec import DataSpec

# Y of ITU-R BT.601 in 16 to 235, as MATLAB's rgb2ycbcr takes it of colours from 0 to 255
BLACK, LUMINANCE = 16.0, np.array([65.481, 128.553, 24.966]) / 255


def open_pictures(data: DataSpec, side: int) -> Source:
    """Find the splits; each has the side of its largest picture. ValueError names what breaks the rules."""
    del side
    root = Path(data.dir).expanduser()
    if not data.dir or not root.is_dir():
        raise ValueError(f"data.dir={data.dir!r} is no directory: give the one that holds a folder a split.")
    if data.store is not None:
        raise ValueError(f"data.store={data.store} would change the pictures to restore: leave it at None.")
    confirm_data(data, lambda: of_files(root, functools.cache(archives.walk)))
    where = _places(root)

    def read(split: str) -> ArraySplit:
        name, part = parse(split, where)
        members = where[name]
        return _read(name, members[part(len(members))])

    return Source(root.stem, ("picture",), 1, lambda split: parse(split, where), read, one_side=False)


def luminance(pixels_hwc: np.ndarray) -> np.ndarray:
    """Return the grey of uint8 pixels (h, w, 3), rounded; the channel itself where all three are equal."""
    if np.all(pixels_hwc == pixels_hwc[..., :1]):
        return pixels_hwc[..., 0]
    return np.round(BLACK + pixels_hwc @ LUMINANCE).astype(np.uint8)


def _places(root: Path) -> dict[str, tuple[Member, ...]]:
    """The pictures of each split by its name, in the order of their names."""
    found: dict[str, tuple[Member, ...]] = {}
    for place in sorted(root.iterdir()):
        if place.is_dir() or place.suffix in archives.SUFFIXES:
            members = archives.walk(place).members
            shown = [one for one in members if one.parts[-1].lower().endswith(photos.SUFFIXES)]
            if shown:
                found[place.stem] = tuple(sorted(shown, key=lambda one: one.parts))
    if not found:
        raise ValueError(
            f"{root} holds no pictures: it must have a folder, .zip or .tar of them for each split."
        )
    return found


def _read(name: str, members: Sequence[Member]) -> ArraySplit:
    """One split, without the pictures that cannot be decoded, which are named."""
    read: dict[int, np.ndarray] = {}

    def decode(index: int) -> None:
        read[index] = luminance(photos.decode(members[index].read(), None, 3))

    bad = photos.attempt(decode, len(members))
    problems = tuple(f"{members[i].describe()}: {reason}" for i, reason in bad.items())
    check_usable(name, len(read), problems)
    pictures = [read[i] for i in sorted(read)]
    sizes = np.array([picture.shape for picture in pictures], np.int32)
    canvas = np.zeros((len(pictures), sizes.max(), sizes.max(), 1), np.uint8)
    for place, picture, (height, width) in zip(canvas, pictures, sizes):
        place[:height, :width, 0] = picture
    return ArraySplit(canvas, np.zeros(len(pictures), np.int32), problems, {"size": sizes})
