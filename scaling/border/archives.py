"""Files in a directory, a .tar or a .zip, listed once and read at random, from any thread or process."""

from __future__ import annotations

import os
import stat
import tarfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

SUFFIXES = (".tar", ".zip")
ZIP_HEADER = 30  # bytes of a zip's local header before the name and the extra field


@dataclass(frozen=True, slots=True)
class Member:
    """One file: `parts` is its path below the root, `path` the file on disk that holds its bytes.

    `size` is that of its content, `packed` that in a .zip; -1 where nobody asked.
    """

    parts: tuple[str, ...]
    path: str
    offset: int = 0
    size: int = -1
    encoding: str = "plain"
    packed: int = -1

    def describe(self) -> str:
        """Where it lies: a path, or archive:path."""
        return self.path if self.encoding == "plain" else f"{self.path}:{'/'.join(self.parts)}"

    def read(self) -> bytes:
        """The whole content."""
        with open(self.path, "rb", buffering=0) as file:  # one system call: a buffer would cost as much again
            if self.encoding in ("stored", "deflated"):
                file.seek(self.offset)
                header = file.read(ZIP_HEADER)
                names = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
                file.seek(self.offset + ZIP_HEADER + names)
                data = file.read(self.packed)
            else:
                file.seek(self.offset)
                data = file.read(self.size)
        return zlib.decompress(data, -zlib.MAX_WBITS) if self.encoding == "deflated" else data

    def ends(self, head: int, tail: int) -> tuple[bytes, bytes]:
        """The first and last bytes, without reading what lies between where the encoding allows."""
        if self.encoding not in ("plain", "tar"):
            data = self.read()
            return data[:head], data[-tail:]
        with open(self.path, "rb") as file:
            stop = self.offset + self.size if self.size >= 0 else os.fstat(file.fileno()).st_size
            file.seek(self.offset)
            first = file.read(head)
            file.seek(max(self.offset, stop - tail))
            return first, file.read(tail)


@dataclass(frozen=True)
class Listing:
    """All files below a root, hidden ones left out, and the paths of folders that hold nothing."""

    members: tuple[Member, ...]
    empty: tuple[tuple[str, ...], ...]


def walk(root: Path) -> Listing:
    """List a directory or an archive. ValueError for an archive that is compressed, encrypted or damaged."""
    if root.is_dir():
        return _walk_directory(root)
    return _walk_tar(root) if root.suffix == ".tar" else _walk_zip(root)


def _walk_directory(root: Path) -> Listing:
    members, empty = [], []
    for folder, folders, files in os.walk(root, followlinks=True):
        folders[:] = sorted(name for name in folders if is_visible((name,)))
        parts = Path(folder).relative_to(root).parts
        names = [name for name in sorted(files) if is_visible((name,))]
        members += [Member((*parts, name), os.path.join(folder, name)) for name in names]
        if not folders and not names:
            empty.append(parts)
    return Listing(tuple(members), tuple(empty))


def _walk_tar(root: Path) -> Listing:
    members, folders = [], []
    try:
        with tarfile.open(root, "r:") as archive:
            for entry in archive:
                parts = _parts(entry.name)
                if entry.isdir():
                    folders.append(parts)
                elif entry.isreg() and is_visible(parts):
                    members.append(Member(parts, str(root), entry.offset_data, entry.size, "tar"))
    except tarfile.TarError as error:
        raise ValueError(
            f"{root} cannot be read as an uncompressed .tar ({error}). A compressed one has no random access: "
            "unpack it, or store it without compression; a damaged one must be copied again."
        ) from error
    return _listing(members, folders)


def _walk_zip(root: Path) -> Listing:
    encodings = {zipfile.ZIP_STORED: "stored", zipfile.ZIP_DEFLATED: "deflated"}
    members, folders = [], []
    try:
        with zipfile.ZipFile(root) as archive:
            entries = archive.infolist()
    except zipfile.BadZipFile as error:
        raise ValueError(f"{root} cannot be read as a .zip ({error}): copy or pack it again.") from error
    for entry in entries:
        parts = _parts(entry.filename)
        if entry.is_dir():
            folders.append(parts)
        elif is_visible(parts) and not stat.S_ISLNK(entry.external_attr >> 16):
            if entry.compress_type not in encodings or entry.flag_bits & 1:
                raise ValueError(
                    f"{root}: {entry.filename} is encrypted or not deflated: pack it again with 'zip'."
                )
            encoding = encodings[entry.compress_type]
            sizes = {"size": entry.file_size, "packed": entry.compress_size}
            members.append(Member(parts, str(root), entry.header_offset, encoding=encoding, **sizes))
    return _listing(members, folders)


def _listing(members: list[Member], folders: list[tuple[str, ...]]) -> Listing:
    used = {member.parts[:i] for member in members for i in range(len(member.parts))}
    used |= {folder[:-1] for folder in folders}
    empty = sorted({folder for folder in folders if folder and folder not in used and is_visible(folder)})
    return Listing(tuple(members), tuple(empty))


def _parts(name: str) -> tuple[str, ...]:
    return tuple(part for part in PurePosixPath(name).parts if part not in (".", "/"))


def is_visible(parts: tuple[str, ...]) -> bool:
    """Whether a path is one that counts: neither hidden nor what an archiver adds."""
    return not any(part.startswith(".") or part == "__MACOSX" for part in parts)
