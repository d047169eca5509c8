"""From device metrics to lines: `metrics.jsonl`, TensorBoard events, the progress bar."""

from __future__ import annotations

import math
import os
import time
import zlib
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from scaling.border.disk import naming
from scaling.border.files import write_atomically
from scaling.border.lines import seal, unseal
from scaling.runs.spec import SKIP
from scaling.runs.workdir import EVENTS, METRICS
from scaling.training.clock import Clock
from scaling.training.events import Events
from scaling.training.plan import Call, Plan, due
from scaling.training.progress import Reporter

IN_FLIGHT = 4  # calls: enough that the devices always have work, few enough to stop soon
HELD = 256  # calls whose metrics may lie on the devices, however far apart logs are


class NonFinite(Exception):
    """Loss, gradient or state was not finite at update number `step`; `more` says why that ends the run."""

    def __init__(self, step: int, more: str = ""):
        super().__init__(f"loss, gradient or state is not finite at step {step}{more}")
        self.step = step


class Skipped(NamedTuple):
    """Updates left out since values were not finite: in all, and in a row until now."""

    steps: int = 0
    in_a_row: int = 0


NOTHING_SKIPPED = Skipped()


class Mark(NamedTuple):
    """How far a journal had come at a checkpoint: its bytes and their CRC-32 (None: none was kept then)."""

    size: int = 0
    crc: int | None = None


Also = Callable[[int, dict[str, float]], None]  # hears of {"split/name": value} at a step, too


class Journal:
    """Writes one line a measurement, of one process; the others pass `directory=None`.

    A resumed run cuts the file back to where it was at its checkpoint, its `mark`, so that no step is there
    twice. Where what is before the mark has changed since, its sound lines are kept, the file as it was
    found is set aside, and `problems` says so.
    """

    def __init__(self, directory: Path | None, start_step: int, mark: Mark, also: Also | None = None):
        self._directory, self._file, self._events, self._also = directory, None, None, also
        self.problems: list[str] = []
        self._mark = Mark(0, 0)
        self._open(start_step, mark)

    def rewind(self, step: int, mark: Mark) -> None:
        """Cut the file back to where it was at an earlier step."""
        self.close()
        self._open(step, mark)

    def _open(self, start_step: int, mark: Mark) -> None:
        if self._directory is None:
            return
        path = self._directory / METRICS
        kept = self._kept(path, mark)
        if not path.exists() or kept != path.read_bytes():
            write_atomically(path, kept.decode("utf-8", "replace"))
        self._mark = Mark(len(kept), zlib.crc32(kept))
        self._file = path.open("ab")
        self._events = Events(self._directory / EVENTS, start_step)

    def write(self, step: int, epoch: float, split: str, values: dict[str, float]) -> None:
        """Append {"step", "epoch", "split", ...}; a value that is not finite becomes null."""
        if self._file is None or self._events is None:
            return
        known = {name: value if math.isfinite(value) else None for name, value in values.items()}
        line = seal({"step": step, "epoch": round(epoch, 4), "split": split, **known}).encode() + b"\n"
        with naming(Path(self._file.name)):
            self._file.write(line)
            self._file.flush()
        self._mark = Mark(self._mark.size + len(line), zlib.crc32(line, self._mark.crc or 0))
        named = {f"{split}/{name}": value for name, value in values.items()}
        self._events.scalars(step, named)
        if self._also:
            self._also(step, named)

    def describe(self, config: dict[str, Any]) -> None:
        """Tell TensorBoard which config's keys the run has."""
        if self._events is not None:
            self._events.hyperparameters(config)

    @property
    def mark(self) -> Mark:
        """Where the file ends, once that is on the disk."""
        if self._file is not None:
            os.fsync(self._file.fileno())
        return self._mark

    def close(self) -> None:
        if self._file is not None and self._events is not None:
            self._file.close()
            self._events.close()

    def _kept(self, path: Path, mark: Mark) -> bytes:
        """The lines up to the mark; only the sound ones where they are not what was marked."""
        data = path.read_bytes() if path.exists() else b""
        kept = data[: mark.size]
        if len(kept) == mark.size and mark.crc in (None, zlib.crc32(kept)):
            return kept
        lines = kept.splitlines(keepends=True)
        sound = [line for line in lines if line.endswith(b"\n") and _is_sound(line)]
        aside = f", and the file as it was is {METRICS}.damaged" if data else ""
        self.problems.append(
            f"{path} has changed since its checkpoint ({len(data)} bytes, {mark.size} then): {len(sound)} sound "
            f"lines of it are kept{aside}"
        )
        if data:
            path.rename(path.with_name(f"{METRICS}.damaged"))
        return b"".join(sound)


def _is_sound(line: bytes) -> bool:
    try:
        unseal(line.decode())
    except ValueError:
        return False
    return True


class Ledger:
    """Leaves metrics on the devices until a log is due, so that steps follow each other without the host.

    The host runs ahead of the devices by at most IN_FLIGHT calls. A value that is not finite is found at
    the log after it, and told with the number of its own step; where the plan has such updates `skipped`,
    they are counted on from earlier attempts, and too many in a row are told. `window` holds the metrics of
    the steps since the last log, which a checkpoint keeps: the next log means over all of them.
    """

    def __init__(
        self,
        plan: Plan,
        fetch: Callable[[Any], Any],
        journal: Journal,
        reporter: Reporter,
        clock: Clock,
        skipped: Skipped = NOTHING_SKIPPED,
    ):
        self.skipped = skipped
        self._plan, self._fetch, self._clock = plan, fetch, clock
        self._journal, self._reporter = journal, reporter
        self._watcher = ThreadPoolExecutor(1, "watcher")
        self._running: deque[tuple[Call, Any, Future[float]]] = deque()
        self._finished: list[tuple[Call, Any]] = []
        self.window: list[dict[str, float]] = []
        self.last: dict[str, float] = {}

    def push(self, call: Call, metrics: Any) -> None:
        """Take a call's metrics (on the devices); wait for an older call where too many are under way."""
        self._running.append((call, metrics, self._watcher.submit(_finish_time, metrics)))
        self._collect(IN_FLIGHT)

    def wait(self) -> None:
        """Wait for all calls, so that what follows is not counted as their time."""
        self._collect(0)

    def settle(self) -> None:
        """Wait for all calls and read their metrics; NonFinite where a step's values are not."""
        self._collect(0)
        self._read()

    def drop(self) -> None:
        """Wait for all calls and forget them: the run goes back to before them."""
        for call, _, finished in self._running:
            self._clock.tick(call, finished.result())
        self._clock.forget()
        self._running.clear()
        self._finished, self.window = [], []

    def close(self) -> None:
        self._watcher.shutdown(wait=False, cancel_futures=True)

    def _collect(self, allowed: int) -> None:
        """Wait until no more than `allowed` calls are running; read metrics where a log is due."""
        while len(self._running) > allowed:
            call, metrics, finished = self._running.popleft()
            self._clock.tick(call, finished.result())
            self._finished.append((call, metrics))
            if self._plan.logs(call) or len(self._finished) == HELD:
                self._read()

    def _read(self) -> None:
        finished, self._finished = self._finished, []
        for call, metrics in finished:
            host = self._fetch(metrics)
            for i in range(call.steps):
                self._log(call.start + i + 1, {name: values[i].item() for name, values in host.items()})

    def _log(self, step: int, values: dict[str, float]) -> None:
        finite = values.pop("finite") == 1.0
        skips = not finite and self._plan.spec.train.non_finite == SKIP
        self._count(step, skips)
        if not skips:
            self.window.append(values)
        if (finite or skips) and not due(step, self._plan.log_every) and step != self._plan.total_steps:
            return
        shown = self.window or [values]
        self.last = {name: float(np.mean([v[name] for v in shown])) for name in values}
        self.window = []
        self._journal.write(step, step / self._plan.steps_per_epoch, "train", self.last)
        note = f"loss {self.last['loss']:.4f}"
        if (metric := self._plan.task.metric).name in self.last:
            note += f"  {metric.told(self.last[metric.name])}"
        note += f"  lr {self.last['lr']:.3g}"
        note += f"  waiting for data {self._clock.data_wait:.0%}"
        self._reporter.progress(step, self._plan.total_steps, note)
        if not (finite or skips):
            raise NonFinite(step)

    def _count(self, step: int, skips: bool) -> None:
        """Count an update that was left out, or the end of a row of them; NonFinite for too many."""
        if not skips:
            self.skipped = self.skipped._replace(in_a_row=0)
            return
        self.skipped = Skipped(self.skipped.steps + 1, self.skipped.in_a_row + 1)
        limit = self._plan.spec.train.non_finite_limit
        if self.skipped.in_a_row > limit:
            raise NonFinite(step, f", and neither were the {limit} before it (config.train.non_finite_limit)")
        self._reporter.line(f"step {step} is left out: loss, gradient or state is not finite")


def _finish_time(metrics: Any) -> float:
    """Wait, in a thread of its own, until a call's results are there; return when that was."""
    jax.block_until_ready(metrics)
    return time.perf_counter()
