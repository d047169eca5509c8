"""How lack of memory shows: one test for exceptions and for the last words of a process."""

from __future__ import annotations

import re

_WORDS = re.compile(r"RESOURCE_EXHAUSTED|out of memory|MemoryError|std::bad_alloc", re.IGNORECASE)

# A full disk is a resource that is exhausted, too
_DISK = re.compile(r"No space left on device|Disk quota exceeded")


def tells_out_of_memory(text: str) -> bool:
    """Whether a message or a log says that memory ran out, on the host or on a device, and not the disk."""
    return any(_WORDS.search(line) and not _DISK.search(line) for line in text.splitlines())


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception is of memory that ran out, on the host or on a device."""
    return isinstance(error, MemoryError) or tells_out_of_memory(str(error))
