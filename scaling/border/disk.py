"""What a disk refuses, in one sentence: full, read-only, another user's, or a file in the way."""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Iterator
from pathlib import Path

REASONS = {
    errno.ENOSPC: "the disk is full: make room, and the same command goes on from what is saved",
    errno.EDQUOT: "your quota is used up: make room, and the same command goes on from what is saved",
    errno.EROFS: "the file system is read-only: choose a directory that can be written",
    errno.EACCES: "permission is denied: choose a directory of your own, or change its mode",
    errno.EPERM: "that is not permitted: choose a directory of your own, or change its mode",
    errno.ENOTDIR: "a file lies where a directory must be: choose another directory",
}
# How TensorStore, which writes checkpoints, tells the number of a system's error
_CODE = re.compile(r"os_error_code='(\d+)'")
FULL = os.strerror(errno.ENOSPC)


def sentence(error: OSError) -> str:
    """Say which file was refused, why, and what to do; "" for an error that is no matter of the disk."""
    if error.errno not in REASONS:
        return ""
    return f"{error.filename or 'a file'} cannot be used: {REASONS[error.errno]}."


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let an error of the disk say which file it was, where the system does not: in writing and syncing."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = str(path)
        raise


def as_os_error(error: Exception, path: Path) -> OSError | None:
    """The error of the disk at `path` that a library tells in its own words; None where it is another."""
    if isinstance(error, OSError):
        found = error.errno
    else:
        code = _CODE.search(str(error))
        found = int(code[1]) if code else errno.ENOSPC if FULL in str(error) else None
    return OSError(found, os.strerror(found), str(path)) if found in REASONS else None


def sync(path: Path) -> None:
    """Wait until a file, or a directory's list of names, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(directory: Path) -> None:
    """Wait until everything below a directory, and its names, are on the disk."""
    for folder, _, files in os.walk(directory, topdown=False):
        for name in files:
            sync(Path(folder) / name)
        sync(Path(folder))
