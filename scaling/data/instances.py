"""Images whose things are told apart: in a mask 0 is the background, every other value one thing.

Files lie as `scaling.data.mask_folder` says; masks are grey (8 or 16 bits) or palette PNGs. All things are of
one class, which `classes.txt` may name. An example has `instances` uint16 (H, W), its things numbered from 1,
and `label` int32 (M,), the class of each, -1 where there is none; M is the most things of an image of the
split. An image without any is background."""

from __future__ import annotations

import dataclasses
import functools
import io
from collections.abc import Sequence

import numpy as np

from scaling.border.archives import Member
from scaling.data.mask_folder import CLASSES, names_of, pairs_of, splits_of
from scaling.data.masks import decoded, in_memory
from scaling.data.source import Source
from scaling.data.splits import ArraySplit, parse
from scaling.runs.spec import DataSpec

MODES = ("L", "P", "1", "I;16")
THING = "thing"  # the class that nobody named


def open_instances(data: DataSpec, side: int) -> Source:
    """Find the splits; images are squeezed to `side`, masks stay as they are. ValueError names what is
    wrong."""
    root, where = splits_of(data)
    class_names = names_of(root) or (THING,)
    if len(class_names) > 1:
        raise ValueError(
            f"{root / CLASSES} names {len(class_names)} classes, but masks that number things tell of one only: name "
            "that one, or leave the file out."
        )
    find = functools.cache(lambda name: _read(name, where[name], data, side))

    def read(split: str) -> ArraySplit:
        name, part = parse(split, where)
        whole = find(name)
        return whole.take(np.arange(len(whole))[part(len(whole))])

    return Source(root.stem, class_names, 3, lambda split: parse(split, where), read)


def _read(name: str, members: Sequence[Member], data: DataSpec, side: int) -> ArraySplit:
    """One split, whose masks became numbered things and their classes."""
    pairs, alone = pairs_of(members)
    made = in_memory(*decoded(name, pairs, data, side, problems=alone, decode_mask=_numbered))
    instances = made.extra["mask"]
    counts = instances.max((1, 2)).astype(int)
    if not counts.any():
        raise ValueError(
            f"split {name!r} has nothing above 0 in {len(made)} masks, so nothing can be learned."
        )
    label = np.where(np.arange(counts.max()) < counts[:, None], 0, -1).astype(np.int32)
    return dataclasses.replace(made, extra={"instances": instances, "label": label})


def _numbered(encoded: bytes, data: DataSpec) -> np.ndarray:
    """An encoded mask, its things numbered from 1 without gaps, uint16 (H, W)."""
    from PIL import Image

    del data
    with Image.open(io.BytesIO(encoded), formats=("PNG",)) as image:
        if image.mode not in MODES:
            raise ValueError(f"its mask has mode {image.mode}: number things in a grey or palette PNG")
        values = np.asarray(image).astype(np.uint16)
    known = np.union1d([0], values)
    return np.searchsorted(known, values).astype(np.uint16)
