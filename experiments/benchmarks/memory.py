"""Resident memory of this process, and its peak since it was last reset (Linux's VmHWM).

Processes of peers read theirs by it too, so it imports nothing of ours, which would import JAX.
"""

from __future__ import annotations

import contextlib
import ctypes
import resource
import sys
from pathlib import Path

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
RESET_PEAK = "5"  # proc(5): resets the peak resident set size to the present one


def resident() -> int | None:
    """Return the bytes resident now; None where the system does not say."""
    return _status("VmRSS")


def peak() -> int:
    """Return the most bytes resident since `reset_peak`, or, where that failed, since the start."""
    unit = 1 if sys.platform == "darwin" else 1024
    return _status("VmHWM") or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def trim() -> None:
    """Return freed memory to the system where glibc can: a compiler leaves much of it."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def reset_peak() -> bool:
    """Forget the peak so far; False where the system does not let us."""
    try:
        CLEAR.write_text(RESET_PEAK)
    except OSError:
        return False
    return True


def _status(name: str) -> int | None:
    try:
        lines = STATUS.read_text().splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith(f"{name}:")]
    return int(found[0]) * 1024 if found else None
