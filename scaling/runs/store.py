"""A sweep on disk: one run directory a trial, `<workdir>/<run id>/`, and nothing else is the truth.

A run is finished once its `row.json` stands; every other file may be partial.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scaling.runs.rows import FINAL, Row, read_row
from scaling.runs.spec import RunSpec
from scaling.runs.workdir import CONFIG, ROW, row_of


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
    if not row.exists():
        return None
    number = 1 + sum(path.name.startswith("attempt-") for path in run.iterdir())
    return row.rename(run / f"attempt-{number}.json")


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
def lock(workdir: Path) -> Iterator[int]:
    """Hold the directory of a sweep or a run; yields the file descriptor for child processes to inherit.

    The lock lives as long as any process has the descriptor: a killed sweep's orphaned trials keep
    the directory until they end, so no run is ever written by two processes.

    Raises:
      ValueError: where another process, or what it left behind, holds the directory, or none can be made.
    """
    import fcntl

    try:
        workdir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(
            f"--workdir={workdir} cannot be made ({error.strerror}): name a directory that you can write to."
        ) from error
    with open(workdir / ".lock", "a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise ValueError(
                f"workdir {workdir} is in use by process {file.read().strip() or '?'}, or by what it left running: "
                "wait for it, stop it, or give another --workdir."
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield file.fileno()
