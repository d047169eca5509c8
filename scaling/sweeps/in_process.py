"""An executor of one: trains in this process, which saves a trial its start and the reading of its data."""

from __future__ import annotations

import json
import time
import traceback
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

from scaling.data import Dataset
from scaling.runs.spec import RunSpec
from scaling.runs.workdir import CONFIG, LOG
from scaling.sweeps.run import Pool
from scaling.sweeps.worker import Ended, Job
from scaling.training.loop import run
from scaling.training.plan import make_plan, read_data
from scaling.training.progress import Lines
from scaling.training.runtime import Runtime

EXIT_CODE = 1  # of a run that raised, as its process would have

Read = Callable[[RunSpec], Dataset]
Prepared = tuple[Runtime, float]  # its programs compiled, and the seconds that this took


def in_process(workdir: Path, read: Read = read_data) -> Pool:
    """The pool of a directory whose trials train in this process."""
    return Pool(workdir, InProcess(read), lambda directory: ())


class InProcess:
    """Runs what stands in each job's `config.json`, one job a `poll`; while one trains, the next is compiled.

    A job's command is not used, nor its time limit: a run ends itself at `config.train.timeout`. `read` gives
    the data of a run. An interrupt of a training leaves `poll` as `scaling.training.Interrupted`.
    """

    def __init__(self, read: Read = read_data):
        self._read = read
        self._queue: deque[Job] = deque()
        self._background = ThreadPoolExecutor(1)
        self._ahead: tuple[Job, Future[Prepared]] | None = None

    def room(self) -> int:
        return 2 - len(self._queue)  # one that trains, and one that is compiled

    def submit(self, job: Job) -> None:
        self._queue.append(job)

    def poll(self, seconds: float) -> list[Ended]:
        """Train the next job to its end, however long that takes."""
        if not self._queue:
            return []
        job = self._queue.popleft()
        _, ready = self._ahead if self._ahead and self._ahead[0] is job else self._start(job)
        wait([ready])
        self._ahead = self._start(self._queue[0]) if self._queue else None
        return [self._run(job, ready)]

    def cancel(self) -> None:
        self._queue.clear()
        if self._ahead:
            self._ahead[1].cancel()
        self._ahead = None

    def _start(self, job: Job) -> tuple[Job, Future[Prepared]]:
        return job, self._background.submit(self._prepare, job)

    def _prepare(self, job: Job) -> Prepared:
        started = time.monotonic()
        spec = RunSpec.from_config(json.loads((job.directory / CONFIG).read_text()))
        runtime = Runtime(make_plan(spec, self._read(spec)))
        runtime.compile()
        return runtime, time.monotonic() - started

    def _run(self, job: Job, ready: Future[Prepared]) -> Ended:
        started, preparing, code = time.monotonic(), 0.0, 0
        with open(job.directory / LOG, "a") as log:
            log_start = log.tell()
            try:
                runtime, preparing = ready.result()
                run(runtime.plan.spec, job.directory, Lines(log), runtime)
            except Exception:  # noqa: BLE001 - whatever is wrong with one run, the others go on
                traceback.print_exc(file=log)
                code = EXIT_CODE
        return Ended(job, code, False, preparing + time.monotonic() - started, log_start)
