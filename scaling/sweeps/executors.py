"""Executors launch processes and say when they ended; what a trial achieved is read from the store."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from scaling.sweeps.worker import Ended, Job, Say, Worker

PAUSE = 0.05


class Executor(Protocol):
    """Runs jobs somewhere. Every submitted job is returned by `poll` exactly once, unless cancelled."""

    def room(self) -> int:
        """How many more jobs it takes now."""
        ...

    def submit(self, job: Job) -> None:
        """Queue a job; returns at once."""
        ...

    def poll(self, seconds: float) -> list[Ended]:
        """Return the jobs that ended since the last call, waiting at most so long for the first."""
        ...

    def cancel(self) -> None:
        """End all processes and forget what is queued; their runs stay resumable."""
        ...


class LocalExecutor:
    """Separate processes on this machine, `workers` at a time, which share its cores and accelerators."""

    def __init__(self, workers: int, grace: float = 20.0, say: Say | None = None):
        if workers < 1:
            raise ValueError(f"workers={workers} must be at least 1: it is how many trials run at a time.")
        self._workers, self._grace, self._say = workers, grace, say
        self._queue: deque[Job] = deque()
        self._running: dict[int, Worker] = {}  # by slot

    def room(self) -> int:
        return self._workers - len(self._queue) - len(self._running)

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
        end_all(self._running.values(), self._grace)
        self._running.clear()

    def _fill(self) -> None:
        """Start queued jobs on the free slots."""
        for slot in set(range(self._workers)) - self._running.keys():
            if self._queue:
                shares = share_environment(os.environ, slot, self._workers, accelerators())
                worker = Worker(self._queue.popleft(), shares, self._grace, self._say)
                _pin(worker.process.pid, slot, self._workers)
                self._running[slot] = worker

    def _collect(self) -> list[Ended]:
        """Take what ended off the slots."""
        found = {slot: ended for slot, worker in self._running.items() if (ended := worker.ended())}
        for slot in found:
            del self._running[slot]
        return list(found.values())


def end_all(workers: Collection[Worker], grace: float) -> None:
    """Ask processes to end, and kill those that have not after `grace` seconds."""
    try:
        for worker in workers:
            worker.stop()
        until = time.monotonic() + grace
        for worker in workers:
            with contextlib.suppress(subprocess.TimeoutExpired):
                worker.process.wait(max(0.0, until - time.monotonic()))
    finally:  # a second Ctrl-C comes here at once
        for worker in workers:
            worker.kill()
            worker.process.wait()


def share_environment(
    environment: Mapping[str, str], slot: int, workers: int, devices: Sequence[str]
) -> dict[str, str]:
    """Environment variables that give a worker its part of the threads and accelerators.

    Workers get disjoint devices where there are enough, else they share one each and its memory.
    Variables that the user has set stay, but for the list of visible devices, which is cut.
    """
    if workers == 1:
        return {}
    threads = str(len(share_cores(cores(), slot, workers)))
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


def cores() -> list[int]:
    """Those that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def _pin(pid: int, slot: int, workers: int) -> None:
    """Keep a worker on its cores: XLA sizes its thread pools by them. Only where the system can."""
    if workers > 1 and hasattr(os, "sched_setaffinity"):
        with contextlib.suppress(OSError):
            os.sched_setaffinity(pid, share_cores(cores(), slot, workers))
