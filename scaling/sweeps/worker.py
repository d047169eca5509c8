"""One process of a job under watch: when it ends, and when it must be ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from scaling.runs.failures import kills_for_memory
from scaling.runs.workdir import LOG

Say = Callable[[str], None]


@dataclass(frozen=True)
class Resources:
    """What a cluster must have free to start a job; 0 of a kind: it is not asked for. `memory` in GiB."""

    cpus: float = 0.0
    gpus: float = 0.0
    memory: float = 0.0


@dataclass(frozen=True)
class Job:
    """One process to run: its id, run directory, command, and what it is told beside this environment.

    It is ended after `timeout` seconds, and after `silence` seconds without a line of its log and without
    a second of processor time (0: neither).
    """

    id: str
    directory: Path
    command: tuple[str, ...]
    timeout: float = 0.0
    silence: float = 0.0
    environment: Mapping[str, str] = field(default_factory=dict)
    resources: Resources = Resources()


@dataclass(frozen=True)
class Ended:
    """A job whose process is gone: its exit code (minus the signal), and where its part of the log starts.

    `starved`: meanwhile the kernel killed for lack of memory, on the machine or in the control group.
    """

    job: Job
    code: int
    timed_out: bool
    seconds: float
    log_start: int = 0
    silent: bool = False
    starved: bool = False


class Worker:
    """The process of a job, which leads a session of its own.

    One that must end gets SIGTERM, and SIGKILL (with all that it started) `grace` seconds later.
    """

    def __init__(self, job: Job, environment: Mapping[str, str], grace: float, say: Say | None = None):
        self._job, self._grace, self._say = job, grace, say or note
        job.directory.mkdir(parents=True, exist_ok=True)
        self._kills, self._started = kills_for_memory(), time.monotonic()
        with open(job.directory / LOG, "ab") as log:
            self._log_start = log.tell()
            self.process = subprocess.Popen(
                job.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **environment, **job.environment},
                start_new_session=True,
            )
        _keep_niceness(self.process.pid)
        self._timed_out = self._silent = self._told = False
        self._kill_at = float("inf")
        self._sign, self._sign_at = self._sign_of_life(), self._started

    def ended(self) -> Ended | None:
        """What became of the process, once it is gone; until then it is pushed where its time is over."""
        code, now = self.process.poll(), time.monotonic()
        if code is None:
            self._push(now)
            return None
        self.kill()
        starved = kills_for_memory() > self._kills
        seconds = now - self._started
        return Ended(
            self._job, code, self._timed_out, seconds, self._log_start, self._silent and code != 0, starved
        )

    def stop(self) -> None:
        """Ask the process to end."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL the process and all that it started; it leads a process group of its own."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def _push(self, now: float) -> None:
        """End the process where it is over its time, or silent."""
        job = self._job
        if self._kill_at == float("inf"):
            self._timed_out = 0 < job.timeout < now - self._started
            self._silent = 0 < job.silence < self._quiet(now)
            if self._timed_out or self._silent:
                self._kill_at = now + self._grace
                self.stop()
        if now > self._kill_at:
            self.kill()

    def _quiet(self, now: float) -> float:
        """For how many seconds there was no sign of life; it is told once that half of the limit is over."""
        sign = self._sign_of_life()
        if sign is None or sign != self._sign:
            self._sign, self._sign_at, self._told = sign, now, False
        quiet = now - self._sign_at
        if quiet > self._job.silence / 2 and not self._told:
            self._told = True
            self._say(
                f"run {self._job.id} is silent: no line of its log and no second of processor time for "
                f"{quiet:.0f} s; it is ended after {self._job.silence:g} s (config.train.silence)."
            )
        return quiet

    def _sign_of_life(self) -> tuple[int, int] | None:
        """The size of the log and the whole seconds of processor time; None where the system does not say."""
        try:
            fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(") ")[2].split()
            ticks = int(fields[11]) + int(fields[12])
            return (self._job.directory / LOG).stat().st_size, ticks // os.sysconf("SC_CLK_TCK")
        except OSError:
            return None


def note(text: str) -> None:
    """Print a line that is no part of a command's answer."""
    print(f"note: {text}", file=sys.stderr, flush=True)


def _keep_niceness(pid: int) -> None:
    """Let a process in a session of its own stay as nice as who started it.

    Linux weighs sessions against each other where it groups tasks by them, and a new one begins at 0.
    """
    with contextlib.suppress(OSError):
        if nice := os.getpriority(os.PRIO_PROCESS, pid):
            Path(f"/proc/{pid}/autogroup").write_text(str(nice))
