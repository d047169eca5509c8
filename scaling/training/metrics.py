"""From device metrics to lines: `metrics.jsonl`, TensorBoard events, the progress bar; step times."""

from __future__ import annotations

import contextlib
import json
import math
import os
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from scaling.training.events import Events
from scaling.training.plan import Call, Plan, due
from scaling.training.progress import Reporter

WARM_UP_CALLS = 3


class NonFinite(Exception):
    """Loss, gradient or state was not finite at update number `step`."""

    def __init__(self, step: int):
        super().__init__(f"loss, gradient or state is not finite at step {step}")
        self.step = step


class Journal:
    """Writes one line a measurement, of one process; the others pass `directory=None`.

    A resumed run cuts the file back to the `size` it had at its checkpoint, so that no step is
    there twice.
    """

    def __init__(self, directory: Path | None, start_step: int, size: int):
        self._file = self._events = None
        if directory is None:
            return
        path = directory / "metrics.jsonl"
        if path.exists():
            os.truncate(path, min(size, path.stat().st_size))
        self._file = path.open("a")
        self._events = Events(directory / "events", start_step)

    def write(self, step: int, epoch: float, split: str, values: dict[str, float]) -> None:
        """Append {"step", "epoch", "split", ...}; a value that is not finite becomes null."""
        if self._file is None or self._events is None:
            return
        known = {name: value if math.isfinite(value) else None for name, value in values.items()}
        line = {"step": step, "epoch": round(epoch, 4), "split": split, **known}
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()
        self._events.scalars(step, {f"{split}/{name}": value for name, value in values.items()})

    @property
    def size(self) -> int:
        """Bytes in the file."""
        return 0 if self._file is None else os.fstat(self._file.fileno()).st_size

    def close(self) -> None:
        if self._file is not None and self._events is not None:
            self._file.close()
            self._events.close()


class Clock:
    """Times steps at a steady pace: pauses (compilation, evaluation, checkpoints) are left out."""

    def __init__(self):
        self._times: dict[int, list[float]] = {}
        self._waited = self._total = 0.0
        self.restart()

    def restart(self) -> None:
        """Begin again after a pause."""
        self._mark = time.perf_counter()
        self._waits = 0.0

    def tick(self, call: Call) -> None:
        """Note that a call is finished."""
        now = time.perf_counter()
        self._times.setdefault(call.resolution, []).append((now - self._mark) / call.steps)
        self._total += now - self._mark
        self._waited += min(self._waits, now - self._mark)
        self._mark, self._waits = now, 0.0

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Time spent within is time waited for data."""
        start = time.perf_counter()
        yield
        self._waits += time.perf_counter() - start

    def measures(self, batch: int) -> dict[str, float]:
        """Return step_ms (median at the last resolution, first calls left out) and what follows."""
        if not self._times:
            return {}
        times = list(self._times.values())[-1]
        seconds = statistics.median(times[WARM_UP_CALLS:] or times)
        return {
            "step_ms": 1e3 * seconds,
            "images_per_second": batch / seconds,
            "data_wait": self._waited / self._total,
        }


class Ledger:
    """Reads device metrics one call late, so that the device never waits for the host."""

    def __init__(
        self, plan: Plan, fetch: Callable[[Any], Any], journal: Journal, reporter: Reporter, clock: Clock
    ):
        self._plan, self._fetch, self._clock = plan, fetch, clock
        self._journal, self._reporter = journal, reporter
        self._pending: tuple[Call, Any] | None = None
        self._window: list[dict[str, float]] = []
        self.last: dict[str, float] = {}

    def push(self, call: Call, metrics: Any) -> None:
        """Take a call's metrics (on the device) and settle those of the call before."""
        self.settle()
        self._pending = (call, metrics)

    def settle(self) -> None:
        """Read and log what is pending; NonFinite where a step's values are not."""
        if self._pending is None:
            return
        (call, metrics), self._pending = self._pending, None
        host = self._fetch(metrics)
        self._clock.tick(call)
        for i in range(call.steps):
            self._log(call.start + i + 1, {name: values[i].item() for name, values in host.items()})

    def _log(self, step: int, values: dict[str, float]) -> None:
        finite = values.pop("finite") == 1.0
        self._window.append(values)
        if finite and not due(step, self._plan.log_every) and step != self._plan.total_steps:
            return
        self.last = {name: float(np.mean([v[name] for v in self._window])) for name in values}
        self._window = []
        self._journal.write(step, step / self._plan.steps_per_epoch, "train", self.last)
        note = f"loss {self.last['loss']:.4f}  top-1 {self.last['top1']:.3f}  lr {self.last['lr']:.3g}"
        self._reporter.progress(step, self._plan.total_steps, note)
        if not finite:
            raise NonFinite(step)
