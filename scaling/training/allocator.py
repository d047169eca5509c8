"""Keep freed memory in the process, so that the kernel does not clear the same pages every step."""

from __future__ import annotations

import contextlib
import ctypes
import sys

# The parameters of glibc's mallopt(3), and the largest value a C int holds
TRIM_THRESHOLD, MMAP_MAX, ARENA_MAX = -1, -4, -8
LARGEST = 2**31 - 1


def keep_memory() -> None:
    """Make glibc serve large buffers from memory it keeps; do nothing elsewhere.

    XLA's CPU backend allocates its scratch buffer anew for every call. By default glibc maps and
    unmaps it, and clearing the new pages took half the time of a small network's step.
    """
    if not sys.platform.startswith("linux"):
        return
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.mallopt(ARENA_MAX, 1)
        libc.mallopt(MMAP_MAX, 0)
        libc.mallopt(TRIM_THRESHOLD, -1)
