"""Where faults are tried: a directory of its own, quick compilation, processes that end with their trial."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from experiments.faults.nursery import Command
from scaling.border import disk

REPOSITORY = Path(__file__).resolve().parents[2]
Started = subprocess.Popen | Command
PROGRAMS, CACHE = "programs", "cache"  # of compiled programs: JAX's, and ours
LIMIT = 240.0  # seconds for whatever a trial waits for
# Tiny programs gain nothing by optimised code. XLA ends a process for a flag that it does not know.
XLA = ["--xla_cpu_parallel_codegen_split_count=1"]
if tuple(map(int, version("jaxlib").split(".")[:2])) < (0, 11):
    XLA.append("--xla_cpu_use_fusion_emitters=false")


def environment(root: Path) -> dict[str, str]:
    """What processes are told beside this process's environment: one device, nothing optimised, one cache."""
    return {
        "JAX_PLATFORMS": "cpu",
        "JAX_NUM_CPU_DEVICES": "1",
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
        "JAX_COMPILATION_CACHE_DIR": str(root / PROGRAMS),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        "JAX_COMPOUND_NATIVE": "0",
        "OPENBLAS_NUM_THREADS": "1",
        "XDG_CACHE_HOME": str(root / CACHE),
        "XLA_FLAGS": " ".join(XLA),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH", "")])),
    }


class Lab:
    """A place for trials. What `once` makes is shared by them, all else goes with its trial."""

    def __init__(self, root: Path):
        self.root = root
        for name in (PROGRAMS, CACHE):  # made by whoever compiles first, else
            (root / name).mkdir(exist_ok=True)
        self._made: dict[Any, Any] = {}
        self._started: list[Any] = []
        self._numbers = itertools.count()
        self._here = root

    @contextlib.contextmanager
    def trial(self, name: str) -> Iterator[None]:
        """Give a trial an empty working directory; afterwards end its processes and remove it."""
        self._here = self.root / name.replace(" ", "_").replace(":", "-")
        self._here.mkdir(parents=True)
        before = Path.cwd()
        os.chdir(self._here)
        try:
            yield
        finally:
            os.chdir(before)
            self.end_all()
            shutil.rmtree(self._here, ignore_errors=True)

    @property
    def here(self) -> Path:
        """The directory of the trial."""
        return self._here

    def once(self, make: Callable[[Lab, Path], Any]) -> Any:
        """What `make(lab, directory)` returns: made for the first trial that asks, kept for the others."""
        if make not in self._made:
            directory = self.root / f"shared-{make.__name__}"
            shutil.rmtree(directory, ignore_errors=True)  # of a trial that could not make it
            directory.mkdir()
            self._made[make] = make(self, directory)
        return self._made[make]

    def start(self, *words: str, told: Mapping[str, str] | None = None) -> subprocess.Popen:
        """Start a Python process; its output is one text, to be read at its end."""
        process = subprocess.Popen(
            [sys.executable, *words],
            cwd=REPOSITORY,
            env={**os.environ, **environment(self.root), **(told or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._started.append(process)
        return process

    def command(self, name: str, *words: str, weak: bool = False) -> Command:
        """Start a command of ours; a `weak` one may not write what is read-only, as root else may."""
        self._started.append(Command(name, words, self.root / f"log-{next(self._numbers)}", weak))
        return self._started[-1]

    def end_all(self) -> None:
        for process in self._started:
            process.kill()
            process.wait()
        self._started.clear()


def finish(process: Started, code: int = 0) -> str:
    """Wait for a process that must end with this code; return what it said."""
    said, _ = process.communicate(timeout=LIMIT)
    assert process.returncode == code, f"exit code {process.returncode}, not {code}: {said[-600:]}"
    return said


def refused(process: Started) -> str:
    """Wait for a command that must refuse, in a sentence; return it."""
    text = " ".join(finish(process, 2).rpartition("error: ")[2].split())
    is_sentence(text)
    return text


def wait_until(true: Callable[[], bool], process: Started, pause: float = 0.002) -> None:
    """Wait for something that a process is to do while it lives."""
    until = time.monotonic() + LIMIT
    while not true():
        assert process.poll() is None, f"it ended too early: {process.communicate()[0][-600:]}"
        assert time.monotonic() < until, f"nothing happened for {LIMIT:.0f} s"
        time.sleep(pause)


def is_sentence(text: str) -> None:
    """Check that a person can read what was said: short, and nothing from within."""
    assert 10 < len(text) < 2000 and "Traceback" not in text, text[:600]


def refusal(action: Callable[[], Any]) -> str:
    """The sentence by which something was refused; "" where it was not."""
    try:
        action()
    except (ValueError, OSError) as error:
        text = disk.sentence(error) if isinstance(error, OSError) else str(error)
        is_sentence(text)
        return text
    return ""
