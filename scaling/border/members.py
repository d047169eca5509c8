"""One file of a listing, in a folder or in an archive, and the listing itself with what was wrong in it."""

from __future__ import annotations

import os
import zlib
from dataclasses import dataclass
from typing import Any

ZIP_HEADER = 30  # bytes of a zip's local header before the name and the extra field
ZIP_MAGIC = b"PK\x03\x04"
LARGEST = 2**28  # bytes of one file: no photo has more, and more is never read into memory


@dataclass(frozen=True, slots=True)
class Member:
    """One file: `parts` is its path below the root, `path` the file on disk that holds its bytes.

    `size` is that of its content, `packed` that in a .zip, -1 where nobody asked; `crc` as a .zip states it.
    """

    parts: tuple[str, ...]
    path: str
    offset: int = 0
    size: int = -1
    encoding: str = "plain"
    packed: int = -1
    crc: int = -1

    def describe(self) -> str:
        """Where it lies: a path, or archive:path."""
        return self.path if self.encoding == "plain" else f"{self.path}:{'/'.join(self.parts)}"

    def read(self) -> bytes:
        """The whole content; ValueError where that is not what was listed, or above LARGEST."""
        with open(self.path, "rb", buffering=0) as file:  # one system call: a buffer would cost as much again
            if self.encoding in ("stored", "deflated"):
                file.seek(self.offset)
                header = file.read(ZIP_HEADER)
                if not header.startswith(ZIP_MAGIC):
                    raise ValueError("the archive has changed since it was listed: start again")
                names = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
                file.seek(self.offset + ZIP_HEADER + names)
                return self._unpacked(_read(file, self.packed))
            size = os.fstat(file.fileno()).st_size if self.size < 0 else self.size
            file.seek(self.offset)
            return _read(file, size)

    def _unpacked(self, data: bytes) -> bytes:
        """The content of a .zip's member, decompressed no further than the size that was listed."""
        if self.size > LARGEST:
            raise ValueError(f"it claims {self.size} bytes, more than the {LARGEST} of any photo")
        if self.encoding == "deflated":
            inflater = zlib.decompressobj(-zlib.MAX_WBITS)
            data = inflater.decompress(data, self.size + 1)
        if len(data) != self.size or zlib.crc32(data) != self.crc:
            raise ValueError(
                "its content is not of the size and checksum that the archive states: copy it again"
            )
        return data

    def ends(self, head: int, tail: int) -> tuple[bytes, bytes]:
        """The first and last bytes, without reading what lies between where the encoding allows."""
        if self.encoding not in ("plain", "tar"):
            data = self.read()
            return data[:head], data[-tail:]
        with open(self.path, "rb") as file:
            stop = self.offset + self.size if self.size >= 0 else os.fstat(file.fileno()).st_size
            file.seek(self.offset)
            first = file.read(min(head, stop - self.offset))
            file.seek(max(self.offset, stop - tail))
            return first, file.read(min(tail, stop - self.offset))


@dataclass(frozen=True, slots=True)
class Problem:
    """What of a folder or an archive is not taken: its path below the root, where it lies, and why."""

    parts: tuple[str, ...]
    place: str
    reason: str

    def __str__(self) -> str:
        return f"{self.place}: {self.reason}"


@dataclass(frozen=True)
class Listing:
    """All files below a root, hidden ones left out, the folders that hold nothing, and what is not taken."""

    members: tuple[Member, ...]
    empty: tuple[tuple[str, ...], ...]
    problems: tuple[Problem, ...] = ()


def is_visible(parts: tuple[str, ...]) -> bool:
    """Whether a path is one that counts: neither hidden nor what an archiver adds."""
    return not any((part.startswith(".") and part != "..") or part == "__MACOSX" for part in parts)


def _read(file: Any, size: int) -> bytes:
    if size > LARGEST:
        raise ValueError(f"it has {size} bytes, more than the {LARGEST} of any photo")
    data = file.read(size)
    while 0 < len(data) < size and (more := file.read(size - len(data))):  # a read may be cut by a signal
        data += more
    if len(data) != size:
        raise ValueError(f"it ends after {len(data)} of {size} bytes: copy it again")
    return data
