"""A prepared task: a function that runs it once and returns the seconds, and the facts it has gathered."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

BEGAN = time.perf_counter()  # of this process, before it has imported anything large
LEAST_SECONDS = 0.1  # shorter calls are repeated within one run
MOST_CALLS = 100


@dataclass(frozen=True)
class Prepared:
    """`run()` returns seconds; `facts()` is asked for once, after the last run.

    `reset()` is called before the first round, for devices that keep a peak of their own.
    """

    run: Callable[[], float]
    facts: Callable[[], dict[str, Any]] = dict
    reset: Callable[[], None] = lambda: None


def repeated(call: Callable[[], Any], wait: Callable[[Any], Any], queue: bool) -> Callable[[], float]:
    """Return a function that gives the mean seconds of enough calls to be timed well.

    A first call of each run is not timed: it finds caches as the contender before has left them.
    `wait(result)` returns when the work of a call is done; with `queue` it is waited for after the
    last call only, as a device works off its queue. Two calls are made now: to compile, to count.
    """
    wait(call())
    start = time.perf_counter()
    wait(call())
    calls = min(MOST_CALLS, math.ceil(LEAST_SECONDS / max(time.perf_counter() - start, 1e-9)))

    def run() -> float:
        wait(call())
        begin = time.perf_counter()
        for _ in range(calls - 1):
            result = call()
            if not queue:
                wait(result)
        wait(call())
        return (time.perf_counter() - begin) / calls

    return run
