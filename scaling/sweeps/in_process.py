"""An executor of one: trains in this process, which saves a trial its start and the reading of its data."""

from __future__ import annotations

import json
import time
import traceback
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import TextIO

from scaling.border.files import write_json
from scaling.data import Dataset
from scaling.runs.spec import RunSpec
from scaling.runs.workdir import CONFIG, LOG, NETWORK
from scaling.sweeps.run import POLL_SECONDS, Pool, Watch
from scaling.sweeps.worker import Ended, Job
from scaling.training.export import network_record
from scaling.training.loop import run
from scaling.training.plan import make_plan, read_data
from scaling.training.progress import Lines
from scaling.training.runtime import Runtime

EXIT_CODE = 1  # of a run that raised, as its process would have

Read = Callable[[RunSpec], Dataset]
Look = Callable[[], None]
Prepared = tuple[Runtime, float]  # its programs compiled, and the seconds that this took


def in_process(
    workdir: Path, read: Read = read_data, retry: bool = False, watch: Watch | None = None
) -> Pool:
    """The pool of a directory whose trials train in this process; `watch` sees them also while one trains."""
    pool = Pool(workdir, InProcess(read, lambda: pool.look()), lambda directory: (), retry, watch)
    return pool


class _Seen(Lines):
    """Lines of a log, and a look at the run about every second."""

    def __init__(self, stream: TextIO, look: Look):
        super().__init__(stream)
        self._look, self._looked = look, 0.0

    def progress(self, step: int, total: int, note: str) -> None:
        super().progress(step, total, note)
        if time.monotonic() - self._looked >= POLL_SECONDS:
            self._looked = time.monotonic()
            self._look()


class InProcess:
    """Runs what stands in each job's `config.json`, one job a `poll`; while one trains, the next is compiled.

    A job's command is not used, nor its time limit: a run ends itself at `config.train.timeout`. `read` gives
    the data of a run. `look` is called about every second of a training, as far as it logs so often. An
    interrupt of a training leaves `poll` as `scaling.training.Interrupted`.
    """

    def __init__(self, read: Read = read_data, look: Look = lambda: None):
        self._read, self._look = read, look
        self._queue: deque[Job] = deque()
        self._background = ThreadPoolExecutor(1)
        self._ahead: tuple[Job, Future[Prepared]] | None = None

    def room(self) -> int:
        return 2 - len(self._queue)  # one that trains, and one that is compiled

    def submit(self, job: Job) -> None:
        self._queue.append(job)

    def poll(self, seconds: float) -> list[Ended]:
        """Train the next job to its end, however long that takes, once its programs are compiled."""
        if not self._queue:
            return []
        job = self._queue[0]
        if self._ahead is None or self._ahead[0] is not job:
            self._ahead = self._start(job)
        ready = self._ahead[1]
        if not wait([ready], seconds).done:
            return []
        self._queue.popleft()
        self._ahead = self._start(self._queue[0]) if self._queue else None
        return [self._run(job, ready)]

    def cancel(self) -> None:
        self._queue.clear()
        if self._ahead:
            self._ahead[1].cancel()
        self._ahead = None

    def _start(self, job: Job) -> tuple[Job, Future[Prepared]]:
        (job.directory / LOG).touch()
        return job, self._background.submit(self._prepare, job)

    def _prepare(self, job: Job) -> Prepared:
        started = time.monotonic()
        spec = RunSpec.from_config(json.loads((job.directory / CONFIG).read_text()))
        runtime = Runtime(make_plan(spec, self._read(spec)))
        write_json(job.directory / NETWORK, network_record(runtime.plan))  # what shows that it is compiled
        runtime.compile()
        return runtime, time.monotonic() - started

    def _run(self, job: Job, ready: Future[Prepared]) -> Ended:
        started, preparing, code = time.monotonic(), 0.0, 0
        with open(job.directory / LOG, "a") as log:
            log_start = log.tell()
            try:
                runtime, preparing = ready.result()
                run(runtime.plan.spec, job.directory, _Seen(log, self._look), runtime)
            except Exception:  # noqa: BLE001 - whatever is wrong with one run, the others go on
                traceback.print_exc(file=log)
                code = EXIT_CODE
        return Ended(job, code, False, preparing + time.monotonic() - started, log_start)
