"""A sweep on disk: one run directory a trial, `<workdir>/<run id>/`, and nothing else is the truth.

A run is finished once its `row.json` stands; every other file may be partial.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scaling.runs.rows import FINAL, Row, read_row
from scaling.runs.spec import RunSpec
from scaling.runs.workdir import CONFIG, ROW, row_of

LOCK = ".lock"


@dataclass(frozen=True)
class Contents:
    """What one scan of a sweep directory found.

    `rows` by run id; `unfinished` the ids of runs with a config and no row yet; `bad` run id -> what
    is wrong with its row.
    """

    rows: dict[str, Row]
    unfinished: tuple[str, ...]
    bad: dict[str, str]

    def is_settled(self, spec: RunSpec, retry: bool = False) -> bool:
        """Whether this run needs no process: it has a row, and with `retry` a final one."""
        if row := row_of(self.rows, spec):
            return not retry or row.status in FINAL
        return spec.id in self.bad and not retry


def scan(workdir: Path) -> Contents:
    """Read a sweep directory once; a missing one is empty. A lone run directory holds its own row."""
    rows: dict[str, Row] = {}
    bad: dict[str, str] = {}
    unfinished: list[str] = []
    for directory in _directories(Path(workdir)):
        path = directory / ROW
        try:
            row = read_row(path)
            if path.parent != Path(workdir) and row.id != directory.name:
                raise ValueError(f"{path} is the row of run {row.id}: it was copied or renamed.")
            rows[row.id] = row
        except FileNotFoundError:
            if (directory / CONFIG).exists() and directory != Path(workdir):
                unfinished.append(directory.name)
        except (ValueError, OSError) as error:
            bad[directory.name] = str(error)
    return Contents(rows, tuple(unfinished), bad)


def _directories(workdir: Path) -> Iterator[Path]:
    """The directory itself, then those in it, by name."""
    yield workdir
    with contextlib.suppress(FileNotFoundError), os.scandir(workdir) as entries:
        yield from sorted(workdir / e.name for e in entries if e.is_dir() and not e.name.startswith("."))


def set_aside(run: Path) -> Path | None:
    """Rename a row that is to be run again to `attempt-N.json`, so that it stays; None without a row."""
    row = run / ROW
    return row.rename(next_attempt(run)) if row.exists() else None


def next_attempt(run: Path) -> Path:
    """Where the row of the next attempt that is not the last one goes."""
    return run / f"attempt-{1 + len(list(run.glob('attempt-*')))}.json"


def attempts(run: Path, status: str) -> int:
    """How many attempts at a run, set aside, ended with a status; what cannot be read counts as none."""
    found = 0
    for path in run.glob("attempt-*.json"):
        with contextlib.suppress(ValueError, OSError):
            found += read_row(path).status == status
    return found


def read_tail(log: Path, start: int = 0, lines: int = 20, characters: int = 4000) -> str:
    """The last lines of a log from byte `start` on; "" where there is none."""
    try:
        with open(log, "rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(start, end - characters))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    kept = [line.rstrip().split("\r")[-1] for line in text.split("\n")]
    return "\n".join([line for line in kept if line][-lines:])


@contextlib.contextmanager
def lock(workdir: Path) -> Iterator[None]:
    """Hold the directory of a run or a search against other processes, as long as this one lives.

    Raises:
      ValueError: where another process holds the directory, or none can be made.
    """
    import fcntl

    try:
        workdir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(
            f"--workdir={workdir} cannot be made ({error.strerror}): name a directory that you can write to."
        ) from error
    with open(workdir / LOCK, "a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid, _ = _locker(workdir)
            raise ValueError(
                f"workdir {workdir} is in use by process {pid or '?'}: wait for it, stop it, or give another "
                "--workdir."
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()} {machine()}")
        file.flush()
        yield


def is_locked(workdir: Path) -> bool:
    """Whether a process holds a directory by `lock`, as far as the file system tells."""
    import fcntl

    try:
        with open(workdir / LOCK) as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def evict(workdir: Path) -> None:
    """Kill the process of this machine that holds a directory; one of another machine is left alone."""
    pid, where = _locker(workdir)
    if pid and where and where == machine() and pid != os.getpid():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def _locker(workdir: Path) -> tuple[int, str]:
    """The process that holds a directory and its machine; (0, "") where that is not told."""
    try:
        pid, _, where = (workdir / LOCK).read_text().partition(" ")
        return int(pid), where
    except (OSError, ValueError):
        return 0, ""


@functools.cache
def machine() -> str:
    """What names this machine's process table, since its last start; "" where the system does not say."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""
