"""How far a history had come: a count and a checksum beside it, so that lines that are gone are noticed.

Each line states its own checksum; that none is missing, also at the end, only the mark can tell.
"""

from __future__ import annotations

import zlib
from dataclasses import asdict, dataclass
from pathlib import Path

from scaling.border.files import read_json, write_json
from scaling.border.typed import build
from search.runs.workdir import HISTORY, MARK


@dataclass(frozen=True)
class Mark:
    """The lines that were written, the bytes that they take, and the CRC-32 of those."""

    lines: int
    size: int
    crc: int

    def after(self, text: bytes) -> Mark:
        """The mark once this text, of whole lines, is added."""
        return Mark(self.lines + text.count(b"\n"), self.size + len(text), zlib.crc32(text, self.crc))


NOTHING = Mark(0, 0, 0)


def write(directory: Path, mark: Mark) -> None:
    """Keep a mark of what is on the disk already; after a kill in between the older one still holds."""
    write_json(directory / MARK, asdict(mark))


def problem(directory: Path, data: bytes) -> str:
    """Say what is wrong with a history of these bytes by its mark.

    "" for nothing, and for a history from before there were marks.
    """
    path = directory / MARK
    if not path.exists():
        return ""
    try:
        mark = build(Mark, read_json(path), "mark")
    except (OSError, ValueError, TypeError) as error:
        return f"{path}, which counts the lines of {HISTORY}, cannot be read ({error})"
    if NOTHING.after(data[: max(0, mark.size)]) == mark:
        return ""
    found = data.count(b"\n")
    return f"{directory / HISTORY} has changed since it was written ({found} whole lines, {mark.lines} then)"
