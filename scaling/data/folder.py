"""Photos in one folder a class: `<split>/<class>/<file>` in a directory, a .tar or a .zip.

`dir` is a directory that holds `train/` and `val/`, or `train.tar` and `val.tar` (or .zip), or it is
one such archive. Without split folders, `<class>/<file>` alone, the one split is called "train".
Files are ordered by the hash of `<class>/<file>`, so a part such as "train[:80%]" mixes the classes
and is the same for a directory and an archive of it.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scaling.border import archives
from scaling.border.fingerprint import of_files
from scaling.border.members import Listing, Member
from scaling.data import photos
from scaling.data.source import Source
from scaling.data.splits import StreamSplit, parse
from scaling.runs.pinning import confirm_data
from scaling.runs.spec import DataSpec

FLAT_SPLIT = "train"

Walk = Callable[[Path], Listing]


@dataclass(frozen=True)
class Files:
    """Encoded photos by row."""

    members: tuple[Member, ...]

    def read(self, row: int) -> bytes:
        return self.members[row].read()

    def describe(self, row: int) -> str:
        return self.members[row].describe()

    def looks_whole(self, row: int) -> bool:
        return photos.looks_whole(*self.members[row].ends(16, 64))


@dataclass(frozen=True)
class Part:
    """The files of one split with their classes, in hash order, and a line for each that is no photo."""

    members: tuple[Member, ...]
    classes: tuple[str, ...]
    problems: tuple[str, ...]


def open_folder(data: DataSpec, side: int) -> Source:
    """List the training split's files; photos will be squeezed to `side`. ValueError as `part_of` says."""
    root = Path(data.dir).expanduser()
    if not data.dir or not root.exists():
        raise ValueError(f"data.dir={data.dir!r} does not exist: give the image folder or its .tar or .zip.")
    walk = functools.cache(archives.walk)  # an archive is listed once, whoever asks
    where = places(root, walk)
    confirm_data(data, lambda: of_files(root, walk))
    find = functools.cache(lambda name: part_of(where[name], name, walk))
    name, _ = parse(data.train, where)
    class_names = tuple(sorted(set(find(name).classes)))

    def read(split: str) -> StreamSplit:
        name, part = parse(split, where)
        whole = _stream(find(name), class_names, side, name)
        return whole.take(np.arange(len(whole))[part(len(whole))])

    return Source(root.stem, class_names, 3, lambda split: parse(split, where), read)


def places(root: Path, walk: Walk = archives.walk) -> dict[str, Path]:
    """Where each split lies: its own folder or archive, or the root that holds several.

    Reads names only, and nothing of an archive that holds one split.
    """
    if root.is_file():
        if root.suffix not in archives.SUFFIXES:
            raise ValueError(
                f"data.dir={str(root)!r} is a file but no .tar or .zip: unpack it, or give a folder."
            )
        members = walk(root).members
        deep = sorted({member.parts[-3] for member in members if len(member.parts) > 2})
        return dict.fromkeys(deep or [FLAT_SPLIT], root)
    if not root.is_dir():
        raise ValueError(f"data.dir={str(root)!r} is neither a folder nor a file: give the image folder.")
    children = sorted(child for child in root.iterdir() if not child.name.startswith("."))
    found = {child.stem: child for child in children if child.suffix in archives.SUFFIXES and child.is_file()}
    folders = [child for child in children if child.is_dir()]
    found |= {child.name: child for child in folders if any(inner.is_dir() for inner in child.iterdir())}
    if not found and not folders:
        raise ValueError(
            f"{root} is empty: it must hold one sub-folder a class, or train/ and val/ with them."
        )
    return found or {FLAT_SPLIT: root}


def part_of(place: Path, split: str, walk: Walk = archives.walk) -> Part:
    """The photos of one split; a file's class is the folder it lies in.

    ValueError where a folder is empty or a class has no photo. Other files are listed in `problems`.
    """
    listing = walk(place)
    deep = tuple(m for m in listing.members if len(m.parts) > 2 and m.parts[-3] == split)
    stray = tuple(m for m in listing.members if len(m.parts) < 2 or m.parts[-2] == split)
    inside = deep or tuple(m for m in listing.members if m not in set(stray))
    empty = [folder for folder in listing.empty if not deep or split in folder]
    if empty or not inside:
        what = "/".join(empty[0]) if empty else "no <class>/<file>"
        raise ValueError(
            f"split {split!r} in {place}: "
            + (f"the folder {what!r} is empty" if empty else f"found {what}")
            + ". "
            "Every class needs a folder with its images: fill it or delete it."
        )
    photo = {m: m.parts[-1].lower().endswith(photos.SUFFIXES) for m in inside}
    lost = {m.parts[-2] for m in inside} - {m.parts[-2] for m in inside if photo[m]}
    if lost:
        raise ValueError(
            f"split {split!r} in {place}: class {min(lost)!r} has no file ending in {', '.join(photos.SUFFIXES)}: "
            "convert its images or delete its folder."
        )
    others = {m.parts[-3] for m in listing.members if deep and len(m.parts) > 2} - {split}
    problems = [str(p) for p in listing.problems if split in p.parts or not others & set(p.parts)]
    problems += [f"{m.describe()}: not in a class's folder" for m in stray]
    problems += [f"{m.describe()}: not one of {', '.join(photos.SUFFIXES)}" for m in inside if not photo[m]]
    members = tuple(sorted((m for m in inside if photo[m]), key=_hash))
    if len(problems) > len(members):
        raise ValueError(
            f"split {split!r} in {place}: {len(problems)} of {len(problems) + len(members)} files are no photos in a "
            f"class's folder, more than half: convert or remove them. {'; '.join(problems[:3])} ..."
        )
    return Part(members, tuple(m.parts[-2] for m in members), tuple(problems))


def _hash(member: Member) -> bytes:
    return hashlib.md5("/".join(member.parts[-2:]).encode(), usedforsecurity=False).digest()


def _stream(part: Part, class_names: tuple[str, ...], side: int, split: str) -> StreamSplit:
    number = {name: i for i, name in enumerate(class_names)}
    if unknown := set(part.classes) - set(number):
        raise ValueError(
            f"split {split!r} has the class {min(unknown)!r}, which the training split does not have: move it away, "
            f"or add training images of it. The {len(number)} known classes start with {', '.join(class_names[:5])}."
        )
    labels = np.array([number[name] for name in part.classes], np.int32)
    return StreamSplit(Files(part.members), labels, np.arange(len(labels)), side, 3, part.problems)
