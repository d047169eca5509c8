"""The driver's end of a worker: start it, ask, wait no longer than a limit, say how it ended."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from experiments.benchmarks.tasks import Job

ROOT = Path(__file__).resolve().parents[2]
LAST_LINES = 3  # of a dead worker's stderr


class Absent(Exception):
    """A peer that is not installed; the text says what to install."""


class Failed(Exception):
    """A contender that raised, died or took too long; the text says which."""


class Contender(Protocol):
    """Whoever is timed: prepare one of its tasks, run it many times, end."""

    label: str

    def prepare(self, task: int) -> None: ...

    def run(self) -> float: ...

    def settle(self) -> None: ...

    def finish(self) -> dict[str, Any]: ...

    def close(self) -> None: ...


class Process:
    """A contender in a worker process, which is started when needed and again after it died."""

    def __init__(self, job: Job, limit: float, command: Sequence[str] | None = None):
        self.label, self.limit = job.contender, limit
        worker = [sys.executable, "-m", "experiments.benchmarks.worker", job.to_json()]
        self._command = list(command or worker)
        self._process: subprocess.Popen | None = None

    def prepare(self, task: int) -> None:
        self.ask("prepare", task)

    def device(self) -> dict[str, Any]:
        """JAX's backend and the kind of its first device."""
        return self.ask("device")

    def run(self) -> float:
        return self.ask("run")["seconds"]

    def settle(self) -> None:
        self.ask("settle")

    def finish(self) -> dict[str, Any]:
        return self.ask("finish")

    def ask(self, do: str, task: int = 0) -> dict[str, Any]:
        """Send one command, wait for its answer; Absent or Failed where there is none."""
        if self._process is None:
            self._start()
        try:
            self._process.stdin.write(json.dumps({"do": do, "task": task}) + "\n")
            self._process.stdin.flush()
            line = self._answers.get(timeout=self.limit)
        except queue.Empty:
            self.close()
            raise Failed(f"took more than {self.limit:g} s to {do}{self._last_words()}") from None
        except OSError:
            line = ""
        if not line:
            raise Failed(self._death(do))
        return _checked(json.loads(line))

    def close(self) -> None:
        """End the worker and whatever it has started: it holds nothing that is worth keeping."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdin.close()

    def _start(self) -> None:
        self.close()
        self._stderr = tempfile.TemporaryFile("w+")  # noqa: SIM115 - outlives this call, as the worker does
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            text=True,
            env=_environment(),
            start_new_session=True,
        )
        self._answers: queue.Queue[str] = queue.Queue()
        reader = threading.Thread(target=_forward, args=(self._process.stdout, self._answers), daemon=True)
        reader.start()

    def _death(self, do: str) -> str:
        code = self._process.wait()
        self.close()
        return f"died with exit code {code} when told to {do}{self._last_words()}"

    def _last_words(self) -> str:
        self._stderr.seek(0)
        lines = [line.strip() for line in self._stderr.read().splitlines() if line.strip()]
        return "".join(f"; {line[:200]}" for line in lines[-LAST_LINES:])


class Fresh:
    """A contender whose every run is the first of a new process; `primed` runs once before."""

    def __init__(self, process: Process, primed: bool):
        self.label, self._process, self._primed = process.label, process, primed
        self._task = 0

    def prepare(self, task: int) -> None:
        self._task = task
        if self._primed:
            self.run()

    def run(self) -> float:
        self._process.close()
        self._process.prepare(self._task)
        seconds = self._process.run()
        self._facts = self._process.finish()
        self._process.close()
        return seconds

    def settle(self) -> None:
        pass

    def finish(self) -> dict[str, Any]:
        return self._facts

    def close(self) -> None:
        self._process.close()


def _checked(answer: dict[str, Any]) -> dict[str, Any]:
    if "absent" in answer:
        raise Absent(answer["absent"])
    if "failed" in answer:
        raise Failed(answer["failed"])
    return answer


def _forward(lines, answers: queue.Queue[str]) -> None:
    """Pass a worker's answers on, then an empty one: it has ended."""
    for line in lines:
        answers.put(line)
    answers.put("")
    lines.close()


# glibc keeps freed memory: otherwise PyTorch's inference on a CPU takes twice as long, and its training a
# fifth more.
KEPT_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**40)}


def _environment() -> dict[str, str]:
    """The environment of every contender.

    Programs are compiled anew, freed memory is kept as in our training, and no process reserves a whole GPU.
    TorchScript is off: effdet compiles what we do not time when it is imported, by torchvision's operators.
    """
    kept = {name: value for name, value in os.environ.items() if name != "JAX_COMPILATION_CACHE_DIR"}
    paths = [str(ROOT), *filter(None, [kept.get("PYTHONPATH")])]
    own = {"PYTHONPATH": os.pathsep.join(paths), "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    own["PYTORCH_JIT"] = "0"
    return kept | KEPT_MEMORY | own
