"""Directories for compiled code below the user's cache, which their user alone can enter.

What lies there is run, so a directory that others own or can write to is never used.
"""

from __future__ import annotations

import hashlib
import os
import platform
import stat
from pathlib import Path


def private_directory(name: str) -> Path:
    """Make and return jax-compound/NAME/PROCESSOR below $XDG_CACHE_HOME or ~/.cache, mode 0700.

    Machines of several kinds may share a home, so each kind has its own. OSError or RuntimeError where
    there is no home, or it cannot be written, or others can change what lies there.
    """
    told = Path(os.environ.get("XDG_CACHE_HOME", ""))
    path = told if told.is_absolute() else Path.home() / ".cache"
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    for part in ("jax-compound", name, processor()):
        path = make_private(path / part)
    return path


def make_private(path: Path) -> Path:
    """Make a directory that its user alone can enter; OSError where others can change or replace it.

    So a link in its place is refused, and a directory above it that all may write to, unless only owners can
    rename there (mode 1777, as of /tmp).
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode):
        raise PermissionError(
            f"{path} is a link, and what is compiled is run, so only a directory is used: delete the link, or set "
            "XDG_CACHE_HOME to where it leads."
        )
    for above in path.resolve().parents:
        mode = above.stat().st_mode
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            raise PermissionError(
                f"{above} has mode {stat.S_IMODE(mode):o}, so others could replace {path}, from which code is run: "
                "chmod o-w, or set XDG_CACHE_HOME to a directory of your own."
            )
    if found.st_uid != os.geteuid():
        raise PermissionError(
            f"{path} belongs to user {found.st_uid}, and what is compiled is run, so only one's own is used: "
            "set XDG_CACHE_HOME to a directory of your own."
        )
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise PermissionError(
            f"{path} has mode {stat.S_IMODE(found.st_mode):o}, so others could put code into it: if you trust "
            "what is in it, chmod 700; otherwise delete it."
        )
    return path


def processor() -> str:
    """Name the instructions that compiled code may use on this machine."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        features = next(line for line in lines if line.startswith(("flags", "Features")))
    except (OSError, StopIteration):
        features = platform.processor()
    return f"{platform.machine()}-{hashlib.sha256(features.encode()).hexdigest()[:8]}"
