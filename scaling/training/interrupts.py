"""Ctrl-C and SIGTERM as a request to stop at the next step, with everything saved."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator

import jax
import numpy as np
from jax.experimental import multihost_utils


class Interrupted(KeyboardInterrupt):
    """A run stopped on request and can be resumed; `exit_code` is the shell's for the signal.

    `at_once`: nothing was saved, and threads of what was going on may still be at it.
    """

    def __init__(self, signum: int, text: str, at_once: bool = False):
        super().__init__(text)
        self.exit_code, self.at_once = 128 + signum, at_once


class Requests:
    """The signal that asked to stop; None while there is none."""

    signum: int | None = None

    def agreed(self, number: int) -> int:
        """Return the largest of all processes' numbers, so that all of them stop at the same step."""
        if jax.process_count() == 1:
            return number
        return int(np.max(multihost_utils.process_allgather(np.int32(number))))


@contextlib.contextmanager
def requests(late: Callable[[int], None] | None = None, seconds: float = 0.0) -> Iterator[Requests]:
    """Catch the first SIGINT or SIGTERM as a request; a second one interrupts at once.

    `late(signum)` is called, in a thread, where the request is not met within so many seconds.
    """
    caught = Requests()
    if threading.current_thread() is not threading.main_thread():
        yield caught
        return

    def handle(signum, frame):
        if caught.signum is not None:
            raise Interrupted(signum, "interrupted twice: stopped without saving", at_once=True)
        caught.signum = signum
        if late is not None:
            timers.append(threading.Timer(seconds, late, [signum]))
            timers[-1].daemon = True
            timers[-1].start()

    timers: list[threading.Timer] = []
    before = {s: signal.signal(s, handle) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield caught
    finally:
        for timer in timers:
            timer.cancel()
        for signum, handler in before.items():
            signal.signal(signum, handler)
