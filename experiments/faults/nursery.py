"""Commands as children of a process that has imported all, and touched no device: they start at once."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
import sys
from pathlib import Path

# What commands import; a child finds it there, which saves most of a tiny run's time
IMPORTED = (
    "experiments.faults.nursery",
    "experiments.train",
    "experiments.search",
    "scaling.training.start",
    "orbax.checkpoint",
    "sklearn.datasets",
    "tensorboard.summary.writer.event_file_writer",
    "tensorboard.plugins.hparams.summary_v2",
)


class Command:
    """A running command of ours, to be waited for or killed as a `subprocess.Popen`."""

    def __init__(self, name: str, words: tuple[str, ...], log: Path, weak: bool = False):
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(list(IMPORTED))
        self._log = log
        self._process = context.Process(target=_become, args=(name, words, str(log), weak))
        self._process.start()

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        """The exit code once the process is gone."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int | None:
        self._process.join(timeout)
        return self._process.exitcode

    def communicate(self, timeout: float | None = None) -> tuple[str, None]:
        """Wait for the end; return all that was said."""
        self.wait(timeout)
        assert self.returncode is not None, f"it has not ended within {timeout} s: {self._said()[-600:]}"
        return self._said(), None

    def kill(self) -> None:
        if self.returncode is None:
            self.send_signal(signal.SIGKILL)

    def send_signal(self, number: int) -> None:
        assert self._process.pid is not None
        os.kill(self._process.pid, number)

    def _said(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""


def _become(name: str, words: tuple[str, ...], log: str, weak: bool) -> None:
    """Be the command from here on, with its output in a file."""
    from experiments import cli
    from experiments.faults.lab import REPOSITORY

    os.chdir(REPOSITORY)
    opened = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream in (1, 2):
        os.dup2(opened, stream)
    if weak:
        from experiments.faults.surroundings import give_up_override

        give_up_override()
    sys.argv = [f"experiments.{name}", *words]
    cli.run_command(importlib.import_module(f"experiments.{name}").main)
