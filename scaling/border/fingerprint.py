"""Fingerprints of data sets without a name: digests of a listing, never of gigabytes of content."""

from __future__ import annotations

import os
import struct
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from scaling.border import archives
from scaling.border.members import Listing, is_visible
from scaling.border.pinned import digest

DEPTH = 3  # parts of a photo's path that say what it is: split, class and file


def of_files(root: Path, walk: Callable[[Path], Listing] | None = None) -> str:
    """Return the fingerprint of a folder or archive: of its files' names, from the split down, and sizes.

    A folder and an archive of it have the same; "" where there is neither. Times, owners and the order of
    listing do not matter, nor does a change within a file that keeps its size. `walk` lists a folder or an
    archive, as `archives.walk` does. ValueError where that cannot read an archive.
    """
    if not root.is_dir() and (not root.is_file() or root.suffix not in archives.SUFFIXES):
        return ""
    try:
        return _digest(
            ("/".join(parts[-DEPTH:]), size) for parts, size in _files(root, walk or archives.walk)
        )
    except OSError:  # its reader says what is wrong
        return ""


def of_arrays(path: Path) -> str:
    """Return the fingerprint of an .npz file or a directory of them: of arrays' names, sizes and checksums.

    The checksums stand in the file's own list, so no array is read. "" where there is no such file.
    """
    files = sorted(path.glob("*.npz")) if path.is_dir() else [path]
    try:
        entries = [entry for file in files for entry in _arrays(file, file.stem if path.is_dir() else "")]
    except (
        OSError,
        ValueError,
        RuntimeError,
        struct.error,
        zipfile.BadZipFile,
    ):  # its reader says what is wrong
        return ""
    return _digest(entries) if entries else ""


def _digest(entries: Iterable[tuple]) -> str:
    return digest("\n".join(sorted("\t".join(map(str, entry)) for entry in entries)).encode())


def _files(root: Path, walk: Callable[[Path], Listing]) -> Iterator[tuple[tuple[str, ...], int]]:
    """The path of each file, an archive being the folder that it stands for, and the bytes of its content."""
    if root.is_file():
        yield from ((member.parts, member.size) for member in walk(root).members)
        return
    for child in root.iterdir():
        if not is_visible((child.name,)):
            continue
        if child.is_dir():
            yield from (((child.name, *m.parts), _size(m.path)) for m in walk(child).members)
        elif child.suffix in archives.SUFFIXES:
            yield from (((child.stem, *m.parts), m.size) for m in walk(child).members)
        else:
            yield (child.name,), _size(str(child))


def _size(path: str) -> int:
    """The bytes of a file; -1 of a link to nothing, which the reader lists as bad."""
    try:
        return os.stat(path).st_size
    except OSError:
        return -1


def _arrays(file: Path, split: str) -> Iterator[tuple]:
    with zipfile.ZipFile(file) as archive:
        for entry in archive.infolist():
            yield split, entry.filename, entry.file_size, f"{entry.CRC:08x}"
