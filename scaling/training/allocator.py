"""A steady use of the host's memory where the host is the device: kept between calls, not twice over."""

from __future__ import annotations

import ctypes
from typing import Any

import jax

# The parameters of glibc's mallopt(3); -1 as a threshold means never
TRIM_THRESHOLD, MMAP_MAX, ARENA_MAX = -1, -4, -8
NEVER = -1


def keep_memory() -> None:
    """Make XLA's CPU backend reuse its scratch memory from call to call. Call it before the first program.

    XLA:CPU allocates scratch anew for every call. By default glibc maps and unmaps it, and clearing the
    new pages takes half the time of a small network's step: now it keeps them. And as a call that runs
    ahead asks for scratch while the one before still holds its own, calls run one after the other.
    """
    jax.config.update("jax_cpu_enable_async_dispatch", False)
    if libc := _glibc():
        libc.mallopt(ARENA_MAX, 1)
        libc.mallopt(MMAP_MAX, 0)
        libc.mallopt(TRIM_THRESHOLD, NEVER)


def give_back() -> None:
    """Return what is free to the system, once: compiling leaves behind about as much as a step needs."""
    if libc := _glibc():
        libc.malloc_trim(0)


def _glibc() -> Any:
    """The C library where it has glibc's functions, else None."""
    try:
        libc = ctypes.CDLL(None)
        return libc if libc.mallopt and libc.malloc_trim else None
    except (OSError, AttributeError, TypeError):
        return None
