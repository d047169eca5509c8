"""What a run ran on: revision, package versions, devices, memory."""

from __future__ import annotations

import contextlib
import os
import platform
import resource
import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import jax

from scaling.models import native

PACKAGES = ("jax-compound", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")


def describe() -> dict[str, Any]:
    """Return everything that `env.json` records."""
    return {
        "git_revision": git_revision(),
        "versions": versions(),
        "device_kind": jax.devices()[0].device_kind,
        "device_count": jax.device_count(),
        "process_count": jax.process_count(),
        "platform": platform.platform(),
        "cpu_count": os.cpu_count(),
        "command": sys.argv,
    }


def git_revision() -> str:
    """Return this source tree's commit, with "-dirty" where files differ; "" outside a checkout."""
    tracked = _git("ls-files", "--error-unmatch", Path(__file__).name)
    return _git("describe", "--always", "--dirty", "--abbrev=40", "--exclude=*") if tracked else ""


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(Path(__file__).resolve().parent), *arguments]
    try:
        found = subprocess.run(command, check=False, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return found.stdout.strip() if found.returncode == 0 else ""


def versions() -> dict[str, str]:
    """Return the versions of Python, of installed packages and of CPU kernels that decide a result."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    if jax.default_backend() == "cpu":
        found["kernels"] = native.named()
    return found


def peak_memory(devices: Sequence[Any]) -> int:
    """Return the most bytes in use so far: on the fullest device, or by this process on a CPU."""
    found = [stats.get("peak_bytes_in_use", 0) for d in devices if (stats := _memory_stats(d))]
    if any(found):
        return max(found)
    return _resident_peak()


def _resident_peak() -> int:
    """Return the most bytes of memory that this process has held.

    Linux says it of the process's own memory; what getrusage says begins with that of who started it.
    """
    with contextlib.suppress(OSError):
        told = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        if "VmHWM" in told:
            return 1024 * int(told["VmHWM"].split()[0])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024)


def _memory_stats(device: Any) -> dict[str, int] | None:
    return device.memory_stats() if device.process_index == jax.process_index() else None
