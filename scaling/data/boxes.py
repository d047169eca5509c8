"""Images with boxes: annotations in one of the formats of `scaling.data.annotations`, photos found by name.

`dir` is a directory (or one archive) with the annotations and the photos, in folders or in .zip or .tar
files. An example has `boxes` float32 (M, 4), x1 y1 x2 y2 as fractions of width and height, and `label` int32
(M,), the classes from 0, -1 where there is no box; M is the most boxes of an image of the split. Boxes are
cut at the image's borders; those of no area or outside are left out and named. Images without boxes are
background."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np

from scaling.border import archives
from scaling.border.fingerprint import of_files
from scaling.border.members import Listing, Member
from scaling.data import photos
from scaling.data.annotations import FORMATS, Annotated, Part, Splits
from scaling.data.folder import Files
from scaling.data.source import Source
from scaling.data.splits import Encoded, Split, StreamSplit, parse
from scaling.runs.pinning import confirm_data
from scaling.runs.spec import DataSpec

NAMED = 5  # problems that an error spells out
PHOTOS = "JPEGImages"  # VOC's folder of photos, beside others with maps of the same names
Paths = tuple[str, ...]
Photos = dict[str, list[tuple[Paths, Member]]]


@dataclass(frozen=True)
class Annotations(Files):
    """Encoded photos by row, whose (width, height) must be what their annotations say."""

    sizes: tuple[tuple[int, int], ...]

    def read(self, row: int) -> bytes:
        encoded = super().read(row)
        if (size := photos.size_of(encoded)) != self.sizes[row]:
            told = "x".join(map(str, self.sizes[row]))
            raise ValueError(
                f"it is {size[0]}x{size[1]}, but its annotation says {told}, so its boxes lie elsewhere"
            )
        return encoded


class Opened(NamedTuple):
    """A set with annotations: its directory, readers of its splits, the training split's classes, photos."""

    root: Path
    read: Mapping[str, Callable[[], Part]]
    classes: tuple[str, ...]
    photos: Photos


def open_boxes(data: DataSpec, side: int) -> Source:
    """Find the splits and read the annotations of the training split; photos are squeezed to `side`.

    ValueError names what breaks the rules above.
    """
    return source_of(opened(data, FORMATS[data.source]), functools.partial(_split, side=side))


def source_of(found: Opened, split_of: Callable[[Part, str, Opened], Split]) -> Source:
    """The source whose splits are what `split_of` makes of their annotations."""

    def read(split: str) -> Split:
        name, part = parse(split, found.read)
        whole = split_of(found.read[name](), name, found)
        return whole.take(np.arange(len(whole))[part(len(whole))])

    return Source(found.root.stem, found.classes, 3, lambda split: parse(split, found.read), read)


def opened(data: DataSpec, format: Callable[[Mapping[Paths, Member]], Splits]) -> Opened:
    """Find the splits and photos, and read the training split's annotations; ValueError if it has none."""
    root = Path(data.dir).expanduser()
    if not data.dir or not root.exists():
        raise ValueError(
            f"data.dir={data.dir!r} does not exist: give the directory with images and annotations."
        )
    walk = functools.cache(archives.walk)
    confirm_data(data, lambda: of_files(root, walk))
    files = _files(root, walk)
    where = {name: functools.cache(read) for name, read in format(files).items()}
    if not where:
        raise ValueError(
            f"{root} holds no annotations in the format data.source={data.source!r}: see scaling/data/annotations.py "
            f"for what it looks like, or choose another of {', '.join(FORMATS)}."
        )
    name, _ = parse(data.train, where)
    classes = where[name]().classes
    if not classes:
        raise ValueError(
            f"split {name!r} of {root} has no box, so there is nothing to learn: annotate its images."
        )
    return Opened(root, where, classes, _photos(files))


def _files(root: Path, walk: Callable[[Path], Listing]) -> dict[Paths, Member]:
    """Every file by its path; an archive in the directory stands for a folder of its name."""
    files = {member.parts: member for member in walk(root).members}
    for archive in sorted(root.iterdir()) if root.is_dir() else ():
        if archive.suffix in archives.SUFFIXES and archive.is_file():
            files |= {(archive.stem, *member.parts): member for member in walk(archive).members}
    return files


def _photos(files: Mapping[Paths, Member]) -> Photos:
    """Photos by their names, with and without the suffix."""
    found: Photos = {}
    for path, member in sorted(files.items()):
        if path[-1].lower().endswith(photos.SUFFIXES):
            for name in (path[-1], PurePosixPath(path[-1]).stem):
                found.setdefault(name, []).append((path, member))
    return found


def numbers(part: Part, name: str, classes: Sequence[str]) -> dict[str, int]:
    """The classes' numbers; ValueError for a class that the training split does not have."""
    number = {one: i for i, one in enumerate(classes)}
    if unknown := {one for image in part.images for one in image.classes} - set(number):
        raise ValueError(
            f"split {name!r} has boxes of the class {min(unknown)!r}, which the training split does not have: its "
            f"{len(number)} classes are {', '.join(classes[:5])}{' ...' if len(number) > 5 else ''}. Take them out, "
            "or add training images of it."
        )
    return number


def _split(part: Part, name: str, opened: Opened, side: int) -> StreamSplit:
    """One split: its photos, their boxes and labels, and what was left out."""
    number, problems, found = numbers(part, name, opened.classes), list(part.problems), []
    for image in part.images:
        try:
            found.append((photo_of(image, name, opened.photos), *_usable(image, number, problems), image))
        except ValueError as error:
            problems.append(str(error))
    lost = part.unread + len(part.images) - len(found)
    if lost > len(found) or not found:
        raise ValueError(
            f"split {name!r}: {lost} of {lost + len(found)} images cannot be used: "
            + "; ".join(problems[:NAMED])
        )
    members, boxes, labels, images = zip(*found)
    photos_of = Annotations(members, tuple((image.width, image.height) for image in images))
    return split_of(name, photos_of, boxes, labels, side, 3, problems)


def split_of(
    name: str,
    encoded: Encoded,
    boxes: Sequence[np.ndarray],
    labels: Sequence[np.ndarray],
    side: int,
    channels: int,
    problems: Sequence[str],
) -> StreamSplit:
    """Join photos by row with their boxes (n, 4) and labels (n,); ValueError where no photo has a box."""
    if not any(map(len, labels)):
        raise ValueError(
            f"split {name!r} has no box in {len(labels)} images, so nothing can be learned or scored."
        )
    extra = {"boxes": padded(boxes, (4,), np.float32, 0), "label": padded(labels, (), np.int32, -1)}
    rows = np.arange(len(labels))
    return StreamSplit(encoded, np.zeros(len(rows), np.int32), rows, side, channels, tuple(problems), extra)


def padded(rows: Sequence[np.ndarray], shape: tuple[int, ...], dtype: Any, filler: int) -> np.ndarray:
    """Rows of unequal length as one array (rows, longest, *shape)."""
    joined = np.full((len(rows), max(map(len, rows)), *shape), filler, dtype)
    for i, row in enumerate(rows):
        joined[i, : len(row)] = row
    return joined


def photo_of(image: Annotated, split: str, known: Photos) -> Member:
    """The file of an image; of several the one in the folder of the split or of VOC's photos."""
    wanted = PurePosixPath(image.file).parts
    found = known.get(wanted[-1], []) if wanted else []
    if len(wanted) > 1:
        found = [(path, member) for path, member in found if path[-len(wanted) :] == wanted]
    for folder in (split, PHOTOS):
        found = [(path, member) for path, member in found if folder in path] or found
    if len(found) != 1:
        raise ValueError(
            f"{image.file}: " + (f"{len(found)} photos have this name" if found else "no such photo is there")
        )
    return found[0][1]


def _usable(
    image: Annotated, number: Mapping[str, int], problems: list[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Boxes as fractions, cut at the borders, and their labels; what has no area is named in `problems`."""
    size = np.array([image.width, image.height] * 2, np.float64)
    boxes = np.clip(np.array(image.boxes, np.float64).reshape(-1, 4), 0, size)
    good = np.all(boxes[:, 2:] > boxes[:, :2], 1)
    for i in np.flatnonzero(~good):
        x1, y1, x2, y2 = image.boxes[i]
        why = (
            "has no area"
            if x2 <= x1 or y2 <= y1
            else f"lies outside of its {image.width}x{image.height} pixels"
        )
        problems.append(f"{image.file}: box {i}, {image.classes[i]} at {x1:g} {y1:g} {x2:g} {y2:g}, {why}")
    labels = np.array([number[one] for one in image.classes], np.int32)
    return (boxes / size)[good].astype(np.float32), labels[good]
