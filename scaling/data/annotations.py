"""Files that say which boxes images have: COCO's JSON, VOC's XML, and a plain boxes.json.

Each format is a function from the files of a set, by path, to its splits: a reader for each name.

- COCO: one .json a split, `instances_<split>.json`, `<split>.json` or `<split>/_annotations.coco.json`;
  regions marked as crowds are left out.
- VOC: an .xml an image, named as it is; splits are `ImageSets/Main/<split>.txt`, or else the folders that
  hold the .xml files ("train" where they lie in `Annotations`). Corners are taken as they stand.
- boxes.json: {"classes": [name, ...], "splits": {split: [{"file", "width", "height", "objects": [[class, x1,
  y1, x2, y2], ...]}, ...]}}, classes from 0, corners in pixels.
"""

from __future__ import annotations

import functools
import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple
from xml.etree import ElementTree

from scaling.border.members import Member

LARGEST = 2**30  # bytes of a file of annotations: COCO's training set has 450 MB
LONGEST = 2**20  # pixels of a side
Paths = tuple[str, ...]
Box = tuple[float, float, float, float]


class Annotated(NamedTuple):
    """An image, by the end of its path or its name without a suffix: its size, boxes in pixels, classes.

    `outlines` are what `scaling.data.outlines` reads, one a box, where they were asked for.
    """

    file: str
    width: int
    height: int
    boxes: tuple[Box, ...]
    classes: tuple[str, ...]
    outlines: tuple[Any, ...] = ()


class Part(NamedTuple):
    """One split: its images, the classes that its annotations know, a line for what is left out.

    Of `unread` images the annotations could not be read.
    """

    images: tuple[Annotated, ...]
    classes: tuple[str, ...]
    problems: tuple[str, ...] = ()
    unread: int = 0


Splits = dict[str, Callable[[], Part]]
Files = Mapping[Paths, Member]


def coco(files: Files, outlined: bool = False) -> Splits:
    """The splits of a set in COCO's format, `outlined` with the outlines of things beside their boxes."""
    read = functools.partial(_coco_part, outlined=outlined)
    found: Splits = {}
    for path, member in sorted(files.items()):
        stem = path[-1].removesuffix(".json")
        if stem != path[-1]:
            name = (
                path[-2] if stem == "_annotations.coco" and len(path) > 1 else stem.removeprefix("instances_")
            )
            if name in found:
                raise ValueError(
                    f"{member.describe()} is a second file of the split {name!r}: keep one of them."
                )
            found[name] = lambda member=member: _named(member, read)
    return found


def voc(files: Files) -> Splits:
    """The splits of a set in Pascal VOC's format."""
    by_stem = {
        path[-1].removesuffix(".xml"): member for path, member in files.items() if path[-1].endswith(".xml")
    }
    lists = {
        path[-1].removesuffix(".txt"): m for path, m in files.items() if path[-3:-1] == ("ImageSets", "Main")
    }
    if lists:
        return {
            name: lambda m=member: _voc_part(_listed(m, by_stem)) for name, member in sorted(lists.items())
        }
    folders: dict[str, list[Member]] = {}
    for path, member in sorted(files.items()):
        if path[-1].endswith(".xml"):
            folder = path[-2] if len(path) > 1 else "Annotations"
            folders.setdefault("train" if folder == "Annotations" else folder, []).append(member)
    return {name: lambda members=members: _voc_part(members) for name, members in folders.items()}


def plain(files: Files) -> Splits:
    """The splits of a boxes.json."""
    found = [member for path, member in sorted(files.items()) if path[-1] == "boxes.json"]
    if not found:
        return {}
    member = found[0]
    told = _named(member, lambda told: _fields(told, classes=list, splits=dict))
    classes, splits = tuple(map(str, told[0])), told[1]
    return {
        name: lambda name=name: _naming(member, lambda: _plain_part(splits[name], classes)) for name in splits
    }


FORMATS: dict[str, Callable[[Files], Splits]] = {"coco": coco, "voc": voc, "boxes": plain}


def _coco_part(told: Any, outlined: bool) -> Part:
    images, notes, categories = _fields(told, images=list, annotations=list, categories=list)
    named = dict(sorted(_fields(one, id=int, name=str) for one in categories))
    boxes: dict[int, list[tuple[Box, str]]] = {}
    outlines: dict[int, list[Any]] = {}
    for note in notes:
        image, category, sides = _fields(note, image_id=int, category_id=int, bbox=list)
        x, y, width, height = _box(sides)
        if category not in named:
            raise ValueError(
                f"an annotation of image {image} has category_id {category}, which is not among the categories "
                f"{sorted(named)}: add it to them, or delete the annotation"
            )
        if not note.get("iscrowd"):
            boxes.setdefault(image, []).append(((x, y, x + width, y + height), named[category]))
            outlines.setdefault(image, []).extend([note.get("segmentation")] if outlined else [])
    found, known = [], set()
    for image in images:
        number, file, width, height = _fields(image, id=int, file_name=str, width=int, height=int)
        if number in known:
            raise ValueError(f"{file} has the id {number} of another image: each needs its own")
        known.add(number)
        own = boxes.pop(number, [])
        found.append(_annotated(file, width, height, own, outlines.get(number, ())))
    lost = [f"{len(own)} boxes of image {number}: no such image is listed" for number, own in boxes.items()]
    return Part(tuple(found), tuple(dict.fromkeys(named.values())), tuple(lost))


def _plain_part(images: Any, classes: tuple[str, ...]) -> Part:
    found = []
    for image in images:
        file, width, height, objects = _fields(image, file=str, width=int, height=int, objects=list)
        for number, *_ in objects:
            if not isinstance(number, int) or not 0 <= number < len(classes):
                raise ValueError(
                    f"{file} has a box of class {number!r}, but there are {len(classes)} classes, from 0"
                )
        found.append(
            _annotated(
                file, width, height, [(_box(corners), classes[number]) for number, *corners in objects]
            )
        )
    return Part(tuple(found), classes)


def _voc_part(members: list[Member]) -> Part:
    found, problems = [], []
    for member in members:
        try:
            found.append(_voc_image(member))
        except ValueError as error:
            problems.append(str(error))
    classes = tuple(sorted({name for one in found for name in one.classes}))
    return Part(tuple(found), classes, tuple(problems), unread=len(problems))


def _voc_image(member: Member) -> Annotated:
    data = member.read()
    try:
        if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
            raise ValueError("it declares entities, which no annotation needs")
        root = ElementTree.fromstring(data)
        width, height = (int(_text(root, f"size/{name}")) for name in ("width", "height"))
        boxes = [
            (
                _box([_text(one, f"bndbox/{name}") for name in ("xmin", "ymin", "xmax", "ymax")]),
                _text(one, "name"),
            )
            for one in root.findall("object")
        ]
        return _annotated(PurePosixPath(member.parts[-1]).stem, width, height, boxes)
    except (ElementTree.ParseError, ValueError) as error:
        raise ValueError(f"{member.describe()} is no annotation in VOC's format ({error})") from error


def _listed(member: Member, by_stem: Mapping[str, Member]) -> list[Member]:
    """The annotations of the images that a list of a split names."""
    names = [
        line.split()[0] for line in member.read().decode("utf-8", "replace").splitlines() if line.strip()
    ]
    if lacking := [name for name in names if name not in by_stem]:
        raise ValueError(
            f"{member.describe()} lists {len(lacking)} images without an .xml, such as {lacking[0]!r}: add it, or "
            "take them off the list."
        )
    return [by_stem[name] for name in names]


def _text(element: ElementTree.Element, path: str) -> str:
    text = (element.findtext(path) or "").strip()
    if not text:
        raise ValueError(f"it lacks <{path}>")
    return text


def _annotated(
    file: str, width: int, height: int, boxes: list[tuple[Box, str]], outlines: Sequence[Any] = ()
) -> Annotated:
    if not 1 <= min(width, height) <= max(width, height) <= LONGEST:
        raise ValueError(f"{file} is said to be {width}x{height} pixels")
    names = tuple(name for _, name in boxes)
    return Annotated(file, width, height, tuple(box for box, _ in boxes), names, tuple(outlines))


def _box(corners: Any) -> Box:
    """Four finite numbers; ValueError for what is none."""
    numbers = [float(corner) for corner in corners if not isinstance(corner, bool)]
    if len(numbers) != 4 or not all(map(math.isfinite, numbers)):
        raise ValueError(f"a box is {list(corners)}, not four numbers")
    return numbers[0], numbers[1], numbers[2], numbers[3]


def _fields(told: Any, **kinds: type) -> list[Any]:
    """The values of a JSON object by these names, checked for their types; 3.0 is an int, too."""
    if not isinstance(told, dict):
        raise ValueError(f"{told!r:.80} is no object with {', '.join(kinds)}")  # noqa: TRY004
    values = []
    for name, kind in kinds.items():
        value = told.get(name)
        if kind is int and isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, kind):
            raise ValueError(f"{name}={value!r:.80} is no {kind.__name__}")  # noqa: TRY004
        values.append(value)
    return values


def _named(member: Member, read: Callable[[Any], Any]) -> Any:
    """What `read` makes of a file of JSON; ValueError, naming it, where that is not in its format."""
    return _naming(member, lambda: read(json.loads(_content(member))))


def _naming(member: Member, action: Callable[[], Any]) -> Any:
    """Do something with what a file holds; ValueError, naming it, where that goes wrong."""
    try:
        return action()
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise ValueError(f"{member.describe()} cannot be read: {error}.") from error


def _content(member: Member) -> bytes:
    """A whole file, which may be larger than any photo."""
    if member.encoding != "plain":
        return member.read()
    if (size := os.stat(member.path).st_size) > LARGEST:
        raise ValueError(f"it has {size} bytes, more than the {LARGEST} that are read")
    return Path(member.path).read_bytes()
