"""Executors launch processes and say when they ended; what a trial achieved is read from the store."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from scaling.runs.workdir import LOG

PAUSE = 0.05


@dataclass(frozen=True)
class Job:
    """One process to run: its id, run directory, command and limit in seconds (0: none)."""

    id: str
    directory: Path
    command: tuple[str, ...]
    timeout: float = 0.0


@dataclass(frozen=True)
class Ended:
    """A job whose process is gone: its exit code (minus the signal), and where its part of the log starts."""

    job: Job
    code: int
    timed_out: bool
    seconds: float
    log_start: int = 0


class Executor(Protocol):
    """Runs jobs somewhere. Every submitted job is returned by `poll` exactly once, unless cancelled."""

    def submit(self, job: Job) -> None:
        """Queue a job; returns at once."""
        ...

    def poll(self, seconds: float) -> list[Ended]:
        """Return the jobs that ended since the last call, waiting at most so long for the first."""
        ...

    def cancel(self) -> None:
        """End all processes and forget what is queued; their runs stay resumable."""
        ...


@dataclass
class _Running:
    job: Job
    process: subprocess.Popen
    slot: int
    log_start: int
    started: float
    timed_out: bool = False
    kill_at: float = float("inf")


class LocalExecutor:
    """Separate processes on this machine, `workers` at a time, which share its cores and accelerators.

    A process that must end gets SIGTERM, and SIGKILL (with all that it started) `grace` seconds
    later. `inherit` are file descriptors that stay open in the children (`store.lock`).
    """

    def __init__(self, workers: int, grace: float = 20.0, inherit: Sequence[int] = ()):
        if workers < 1:
            raise ValueError(f"workers={workers} must be at least 1: it is how many trials run at a time.")
        self._workers, self._grace, self._inherit = workers, grace, tuple(inherit)
        self._queue: deque[Job] = deque()
        self._running: list[_Running] = []

    def submit(self, job: Job) -> None:
        self._queue.append(job)

    def poll(self, seconds: float) -> list[Ended]:
        until = time.monotonic() + seconds
        while True:
            ended = self._collect()
            self._fill()
            if ended or time.monotonic() >= until or not self._running:
                return ended
            time.sleep(PAUSE)

    def cancel(self) -> None:
        self._queue.clear()
        try:
            for running in self._running:
                _signal(running.process, signal.SIGTERM)
            until = time.monotonic() + self._grace
            for running in self._running:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    running.process.wait(max(0.0, until - time.monotonic()))
        finally:  # a second Ctrl-C comes here at once
            for running in self._running:
                _kill_group(running.process)
                running.process.wait()
            self._running.clear()

    def _fill(self) -> None:
        """Start queued jobs on the free slots."""
        free = set(range(self._workers)) - {running.slot for running in self._running}
        while self._queue and free:
            self._start(self._queue.popleft(), free.pop())

    def _start(self, job: Job, slot: int) -> None:
        job.directory.mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, **share_environment(os.environ, slot, self._workers, accelerators())}
        with open(job.directory / LOG, "ab") as log:
            log_start = log.tell()
            process = subprocess.Popen(
                job.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
                pass_fds=self._inherit,
            )
        _pin(process.pid, slot, self._workers)
        _keep_niceness(process.pid)
        self._running.append(_Running(job, process, slot, log_start, time.monotonic()))

    def _collect(self) -> list[Ended]:
        """Reap what ended, and push what is over its time."""
        now, ended, alive = time.monotonic(), [], []
        for running in self._running:
            code = running.process.poll()
            seconds = now - running.started
            if code is not None:
                _kill_group(running.process)
                ended.append(Ended(running.job, code, running.timed_out, seconds, running.log_start))
                continue
            if running.job.timeout and seconds > running.job.timeout and not running.timed_out:
                running.timed_out, running.kill_at = True, now + self._grace
                _signal(running.process, signal.SIGTERM)
            if now > running.kill_at:
                _kill_group(running.process)
            alive.append(running)
        self._running = alive
        return ended


def share_environment(
    environment: Mapping[str, str], slot: int, workers: int, devices: Sequence[str]
) -> dict[str, str]:
    """Environment variables that give a worker its part of the threads and accelerators.

    Workers get disjoint devices where there are enough, else they share one each and its memory.
    Variables that the user has set stay, but for the list of visible devices, which is cut.
    """
    if workers == 1:
        return {}
    threads = str(len(share_cores(_cores(), slot, workers)))
    shared = {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
    if len(devices) >= workers:
        shared["CUDA_VISIBLE_DEVICES"] = ",".join(devices[slot::workers])
    elif devices:
        shared["CUDA_VISIBLE_DEVICES"] = devices[slot % len(devices)]
        sharers = -(-workers // len(devices))
        shared["XLA_PYTHON_CLIENT_MEM_FRACTION"] = f"{0.9 / sharers:.3f}"
    return {key: v for key, v in shared.items() if key == "CUDA_VISIBLE_DEVICES" or key not in environment}


def share_cores(cores: Sequence[int], slot: int, workers: int) -> set[int]:
    """The cores of one worker: disjoint parts where there are enough, else one each in turn."""
    return set(cores[slot::workers]) or {cores[slot % len(cores)]}


def accelerators() -> list[str]:
    """The names of the NVIDIA devices that a child may see, without loading a driver."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [device for device in named.split(",") if device.strip()]
    cards = Path("/proc/driver/nvidia/gpus")
    return [str(i) for i in range(len(list(cards.iterdir())))] if cards.is_dir() else []


def _cores() -> list[int]:
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def _keep_niceness(pid: int) -> None:
    """Let a process in a session of its own stay as nice as who started it.

    Linux weighs sessions against each other where it groups tasks by them, and a new one begins at 0.
    """
    with contextlib.suppress(OSError):
        if nice := os.getpriority(os.PRIO_PROCESS, pid):
            Path(f"/proc/{pid}/autogroup").write_text(str(nice))


def _pin(pid: int, slot: int, workers: int) -> None:
    """Keep a worker on its cores: XLA sizes its thread pools by them. Only where the system can."""
    if workers > 1 and hasattr(os, "sched_setaffinity"):
        with contextlib.suppress(OSError):
            os.sched_setaffinity(pid, share_cores(_cores(), slot, workers))


def _signal(process: subprocess.Popen, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(number)


def _kill_group(process: subprocess.Popen) -> None:
    """SIGKILL a child and all that it started; it leads a process group of its own."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
