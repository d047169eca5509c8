"""Images and masks in .npz files: as `scaling.data.npz` has them, with `mask` in the place of `label`.

Masks are integers [N, T, T] of any side T, one for each image; `label_names` gives the classes."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np

from scaling.border.fingerprint import of_arrays
from scaling.data.masks import ALL_VOID, VOID, as_classes, check_classes, check_usable, number_classes
from scaling.data.npz import check_images, places, read_arrays, read_names
from scaling.data.source import Source
from scaling.data.splits import ArraySplit, parse
from scaling.runs.pinning import confirm_data
from scaling.runs.spec import DataSpec


def open_npz_masks(data: DataSpec, side: int) -> Source:
    """Find the splits and read the training arrays. ValueError names a key that breaks the rule."""
    del side
    path = Path(data.dir).expanduser()
    where = places(path, "mask")
    confirm_data(data, lambda: of_arrays(path))
    find = functools.cache(lambda name: _read(name, *where[name], data))
    name, _ = parse(data.train, where)
    train = find(name)
    class_names = read_names(where[name][0]) or number_classes(train)

    def read(split: str) -> ArraySplit:
        name, part = parse(split, where)
        whole = find(name)
        if whole.channels != train.channels:
            raise ValueError(
                f"{where[name][0]}: split {name!r} has {whole.channels} channels, the training split "
                f"{train.channels}: make them agree."
            )
        check_classes(name, whole, class_names, "label_names")
        return whole.take(np.arange(len(whole))[part(len(whole))])

    return Source(path.stem, class_names, train.channels, lambda split: parse(split, where), read)


def _read(name: str, file: Path, prefix: str, data: DataSpec) -> ArraySplit:
    """One split without the images whose mask is void everywhere, which are named."""
    images, values = read_arrays(file, prefix, ("image", "mask"))
    where = f"{file}, {prefix}image and {prefix}mask"
    images = check_images(images, where)
    square = values.ndim == 3 and values.shape[1] == values.shape[2] and len(values) == len(images)
    if not square or not np.issubdtype(values.dtype, np.integer):
        raise ValueError(
            f"{where}: masks are {values.dtype}{list(values.shape)}, must be integers [N, T, T], one for each of the "
            f"{len(images)} images, which are square."
        )
    if values.min() < 0 or values.max() > VOID:
        raise ValueError(
            f"{where}: a mask has value {values.min()} or {values.max()}, must be in 0 to {VOID}."
        )
    masks = as_classes(values, data)
    seen = np.any(masks != VOID, (1, 2))
    problems = tuple(f"{file}, {prefix}mask[{i}]: {ALL_VOID}" for i in np.flatnonzero(~seen))
    check_usable(name, int(seen.sum()), problems)
    labels = np.zeros(int(seen.sum()), np.int32)
    return ArraySplit(images[seen], labels, problems, {"mask": masks[seen]})
