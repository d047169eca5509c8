"""Images with a mask each, a class for every pixel: `<split>/images/<id>.*` beside `<split>/masks/<id>.png`.

`dir` is a directory that holds a folder or a .zip or .tar for each split, or one such archive with `<split>/`
folders. A mask's values are classes, numbered from 0; `classes.txt` beside the splits names them, a line
each. `data.void` is a value that counts for nothing; `data.binary` makes all values above 0 class 1."""

from __future__ import annotations

import collections
import functools
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from scaling.border import archives
from scaling.border.archives import Member
from scaling.border.fingerprint import of_files
from scaling.data import photos
from scaling.data.source import Source
from scaling.data.splits import ArraySplit, parse
from scaling.runs.pinning import confirm_data
from scaling.runs.spec import DataSpec

VOID = 255  # the class of pixels that count for nothing, whatever value the files have
CLASSES = "classes.txt"
NAMED = 5  # files that an error spells out
Pairs = dict[str, tuple[Member, Member]]


def open_masks(data: DataSpec, side: int) -> Source:
    """Find the splits and read the training masks; images are squeezed to `side`, masks stay as they are.

    ValueError names what breaks the rules above.
    """
    root = Path(data.dir).expanduser()
    if not data.dir or not root.exists():
        raise ValueError(f"data.dir={data.dir!r} does not exist: give the directory with images and masks.")
    confirm_data(data, lambda: of_files(root, functools.cache(archives.walk)))
    where = _places(root)
    find = functools.cache(lambda name: _read(*where[name], data, side))
    name, _ = parse(data.train, where)
    class_names = _class_names(root, find(name))

    def read(split: str) -> ArraySplit:
        name, part = parse(split, where)
        whole = find(name)
        masks = whole.extra["mask"]
        if masks[masks != VOID].max(initial=0) >= len(class_names):
            raise ValueError(
                f"split {name!r} has a mask with class {masks[masks != VOID].max()}, but there are {len(class_names)} "
                f"classes, from 0: name all of them in {CLASSES}, or set data.void to the value that counts for nothing."
            )
        return whole.take(np.arange(len(whole))[part(len(whole))])

    return Source(root.stem, class_names, 3, lambda split: parse(split, where), read)


def _places(root: Path) -> dict[str, tuple[str, tuple[Member, ...]]]:
    """The files of each split by its name."""
    inside = [root] if root.is_file() else sorted(p for p in root.iterdir() if p.suffix in archives.SUFFIXES)
    found: dict[str, list[Member]] = {}
    for archive in inside:
        for member in archives.walk(archive).members:
            if len(member.parts) > 1:
                deep = len(member.parts) > 2
                found.setdefault(member.parts[-3] if deep else archive.stem, []).append(member)
    if root.is_dir():
        for member in archives.walk(root).members:
            if len(member.parts) > 2 and member.parts[-2] in ("images", "masks"):
                found.setdefault(member.parts[-3], []).append(member)
    if not found:
        raise ValueError(
            f"{root} holds no split: it must have <split>/images and <split>/masks, as folders or in <split>.zip."
        )
    return {name: (name, tuple(members)) for name, members in found.items()}


def _read(name: str, members: Sequence[Member], data: DataSpec, side: int) -> ArraySplit:
    """Decode one split into memory, leaving out and naming what has no partner or cannot be read."""
    pairs, problems = _pairs(members)
    read: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for key in sorted(pairs):
        image, mask = pairs[key]
        try:
            read[key] = photos.decode(image.read(), side, 3), _classes(mask.read(), data)
        except Exception as error:  # noqa: BLE001 - Pillow raises nearly anything on damaged data
            problems.append(f"{image.describe()}: {error}")
    sizes = collections.Counter(classes.shape for _, classes in read.values())
    usual = max(sizes, key=lambda size: sizes[size], default=(0, 0))
    for key in [key for key, (_, classes) in read.items() if classes.shape != usual]:
        height, width = read.pop(key)[1].shape
        problems.append(
            f"{pairs[key][1].describe()}: is {width}x{height}, most masks of the split {usual[1]}x{usual[0]}: bring all "
            "to one size"
        )
    if len(problems) > len(read):
        raise ValueError(
            f"split {name!r}: {len(problems)} of {len(problems) + len(read)} images cannot be used, more than half: "
            + "; ".join(problems[:NAMED])
        )
    images, masks = (np.stack(arrays) for arrays in zip(*read.values()))
    return ArraySplit(images, np.zeros(len(read), np.int32), tuple(problems), {"mask": masks})


def _pairs(members: Sequence[Member]) -> tuple[Pairs, list[str]]:
    by_folder: dict[str, dict[str, Member]] = {"images": {}, "masks": {}}
    for member in members:
        if member.parts[-1].lower().endswith(photos.SUFFIXES) and member.parts[-2] in by_folder:
            by_folder[member.parts[-2]][Path(member.parts[-1]).stem] = member
    images, masks = by_folder["images"], by_folder["masks"]
    alone = [f"{images[key].describe()}: has no mask" for key in sorted(images.keys() - masks.keys())]
    alone += [f"{masks[key].describe()}: has no image" for key in sorted(masks.keys() - images.keys())]
    return {key: (images[key], masks[key]) for key in images.keys() & masks.keys()}, alone


def _classes(encoded: bytes, data: DataSpec) -> np.ndarray:
    """A mask's values as classes, uint8[H, W], with VOID where nothing counts; ValueError for a colour
    image."""
    from PIL import Image

    with Image.open(io.BytesIO(encoded), formats=("PNG",)) as image:
        if image.mode not in ("L", "P", "1"):
            raise ValueError(
                f"its mask has mode {image.mode}: store classes as numbers in a grey or palette PNG"
            )
        values = np.asarray(image, np.uint8)
    classes = np.minimum(values, 1) if data.binary else values.copy()
    if data.void is not None:
        classes[values == data.void] = VOID
    if np.all(classes == VOID):
        raise ValueError("its mask is void everywhere")
    return classes


def _class_names(root: Path, train: ArraySplit) -> tuple[str, ...]:
    named = root / CLASSES
    if root.is_dir() and named.is_file():
        return tuple(line.strip() for line in named.read_text().splitlines() if line.strip())
    masks = train.extra["mask"]
    return tuple(str(i) for i in range(int(masks[masks != VOID].max()) + 1))
