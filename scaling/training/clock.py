"""Step times and the share of time spent waiting for data, from when the devices finished each call."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections import deque
from collections.abc import Iterator

from scaling.training.plan import Call

WARM_UP_CALLS = 3


class Clock:
    """Times steps at a steady pace: pauses (compilation, evaluation, checkpoints) are left out.

    All times are seconds of `time.perf_counter`. Data is waited for while the host takes a batch and
    the devices, done with the call before, have nothing to do.
    """

    def __init__(self):
        self._times: dict[int, list[float]] = {}
        self._taken: deque[tuple[float, float]] = deque()
        self._waited = self._total = 0.0
        self.restart()

    def restart(self) -> None:
        """Begin again after a pause."""
        self._mark = time.perf_counter()

    @contextlib.contextmanager
    def taking(self) -> Iterator[None]:
        """Within, the host takes the data of one call, which `tick` is told of later."""
        start = time.perf_counter()
        yield
        self._taken.append((start, time.perf_counter()))

    def forget(self) -> None:
        """Take no call for one whose data was taken and that will not be told of."""
        self._taken.clear()

    def tick(self, call: Call, finished: float) -> None:
        """Note when the devices finished the oldest call whose data was taken."""
        start, stop = self._taken.popleft()
        seconds = max(0.0, finished - self._mark)
        self._times.setdefault(call.resolution, []).append(seconds / call.steps)
        self._total += seconds
        self._waited += min(seconds, max(0.0, stop - max(start, self._mark)))
        self._mark = finished

    @property
    def data_wait(self) -> float:
        """The part of the time in which the devices waited for data."""
        return self._waited / self._total if self._total else 0.0

    @property
    def is_steady(self) -> bool:
        """Whether more than the first calls were timed."""
        return sum(map(len, self._times.values())) > WARM_UP_CALLS

    def measures(self, batch: int) -> dict[str, float]:
        """Return step_ms (median at the last resolution, first calls left out) and what follows."""
        if not self._times:
            return {}
        times = list(self._times.values())[-1]
        seconds = statistics.median(times[WARM_UP_CALLS:] or times)
        return {
            "step_ms": 1e3 * seconds,
            "images_per_second": batch / seconds,
            "data_wait": self.data_wait,
        }
