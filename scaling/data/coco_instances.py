"""Images whose things have outlines in COCO's format, as maps that number them.

Files lie as `scaling.data.annotations` says of COCO. An example has `instances` uint16 (side, side), its
things numbered from 1 in the order of their annotations, and `label` int32 (M,), the class of each, -1 where
there is none. Where things overlap the smaller one lies above. Images, maps and all, are held in memory."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import numpy as np

from scaling.data.annotations import Annotated, Part, coco
from scaling.data.boxes import Opened, numbers, opened, padded, photo_of, source_of
from scaling.data.masks import Decoded, Pair, decoded
from scaling.data.outlines import covered
from scaling.data.source import Source
from scaling.data.splits import ArraySplit
from scaling.runs.spec import DataSpec


def open_coco_instances(data: DataSpec, side: int) -> Source:
    """Find the splits; images and maps are squeezed to `side`. ValueError names what is wrong."""
    found = opened(data, functools.partial(coco, outlined=True))
    return source_of(found, lambda part, name, own: _split(part, name, own, data, side))


def _split(part: Part, name: str, opened: Opened, data: DataSpec, side: int) -> ArraySplit:
    number, problems, images = (
        numbers(part, name, opened.classes),
        list(part.problems),
        dict[Pair, Annotated](),
    )
    for image in part.images:
        try:
            photo = photo_of(image, name, opened.photos)
        except ValueError as error:
            problems.append(str(error))
            continue
        pair = Pair(image.file, image.file, photo.read, functools.partial(_as_is, image))
        images[pair] = image
    read, bad = decoded(name, [*images], data, side, mask_side=side, problems=problems, decode_mask=_map_of)
    if not any(images[pair].classes for pair in read):
        raise ValueError(f"split {name!r} has no outline in {len(read)} images, so nothing can be learned.")
    bad += [line for pair, found in read.items() for line in _hidden(images[pair], found)]
    labels = [np.array([number[one] for one in images[pair].classes], np.int32) for pair in read]
    pixels, maps = (np.stack([found[i] for found in read.values()]) for i in (0, 2))
    extra = {"instances": maps, "label": padded(labels, (), np.int32, -1)}
    return ArraySplit(pixels, np.zeros(len(pixels), np.int32), tuple(bad), extra)


def _as_is(image: Annotated) -> Annotated:
    return image


def _map_of(image: Annotated, _: DataSpec) -> np.ndarray:
    """A map that numbers an image's things from 1, uint16 of the image's own size."""
    things = [covered(outline, image.height, image.width) for outline in image.outlines]
    found = np.zeros((image.height, image.width), np.uint16)
    for i in sorted(range(len(things)), key=lambda i: -int(things[i].sum())):
        found[things[i]] = i + 1
    return found


def _hidden(image: Annotated, found: Decoded) -> Iterator[str]:
    """A line for each thing that no pixel of the map shows."""
    shown = set(np.unique(found.classes).tolist())
    for i, name in enumerate(image.classes):
        if i + 1 not in shown:
            yield f"{image.file}: thing {i}, {name}, has no pixel of its own at {found.classes.shape[0]} pixels"
