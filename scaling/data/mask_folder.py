"""Images with a mask each in files: `<split>/images/<id>.*` beside `<split>/masks/<id>.png`.

`dir` is a directory that holds a folder or a .zip or .tar for each split, or one such archive with `<split>/`
folders. `classes.txt` beside the splits names the classes, a line each."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from scaling.border import archives
from scaling.border.archives import Member
from scaling.border.fingerprint import of_files
from scaling.data import photos
from scaling.data.masks import Pair, check_classes, decoded, in_memory, number_classes
from scaling.data.source import Source
from scaling.data.splits import ArraySplit, parse
from scaling.runs.pinning import confirm_data
from scaling.runs.spec import DataSpec

CLASSES = "classes.txt"


def open_masks(data: DataSpec, side: int) -> Source:
    """Find the splits and read the training masks; images are squeezed to `side`, masks stay as they are.

    ValueError names what breaks the rules above.
    """
    root, where = splits_of(data)
    find = functools.cache(lambda name: _read(name, where[name], data, side))
    name, _ = parse(data.train, where)
    class_names = names_of(root) or number_classes(find(name))

    def read(split: str) -> ArraySplit:
        name, part = parse(split, where)
        whole = find(name)
        check_classes(name, whole, class_names, CLASSES)
        return whole.take(np.arange(len(whole))[part(len(whole))])

    return Source(root.stem, class_names, 3, lambda split: parse(split, where), read)


def splits_of(data: DataSpec) -> tuple[Path, dict[str, tuple[Member, ...]]]:
    """Return where `data.dir` is, and the files of each split by its name."""
    root = Path(data.dir).expanduser()
    if not data.dir or not root.exists():
        raise ValueError(f"data.dir={data.dir!r} does not exist: give the directory with images and masks.")
    confirm_data(data, lambda: of_files(root, functools.cache(archives.walk)))
    return root, _places(root)


def _places(root: Path) -> dict[str, tuple[Member, ...]]:
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
    return {name: tuple(members) for name, members in found.items()}


def _read(name: str, members: Sequence[Member], data: DataSpec, side: int) -> ArraySplit:
    pairs, alone = pairs_of(members)
    return in_memory(*decoded(name, pairs, data, side, problems=alone))


def pairs_of(members: Sequence[Member]) -> tuple[list[Pair], list[str]]:
    """Return the pairs of a split, and the files without a partner, named."""
    by_folder: dict[str, dict[str, Member]] = {"images": {}, "masks": {}}
    for member in members:
        if member.parts[-1].lower().endswith(photos.SUFFIXES) and member.parts[-2] in by_folder:
            by_folder[member.parts[-2]][Path(member.parts[-1]).stem] = member
    images, masks = by_folder["images"], by_folder["masks"]
    alone = [f"{images[key].describe()}: has no mask" for key in sorted(images.keys() - masks.keys())]
    alone += [f"{masks[key].describe()}: has no image" for key in sorted(masks.keys() - images.keys())]
    both = [(images[key], masks[key]) for key in sorted(images.keys() & masks.keys())]
    return [Pair(image.describe(), mask.describe(), image.read, mask.read) for image, mask in both], alone


def names_of(root: Path) -> tuple[str, ...]:
    """Return the classes that are named beside the splits; none where there is no such file."""
    named = root / CLASSES
    if root.is_dir() and named.is_file():
        return tuple(line.strip() for line in named.read_text().splitlines() if line.strip())
    return ()
