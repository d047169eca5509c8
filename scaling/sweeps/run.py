"""The sweep loop: skip what is finished, run the rest, and leave exactly one row a trial.

Rows of status ok and nan are final. A run that failed, ran out of memory or of time, or was lost, keeps its
row until it is asked for again with `retry`; the old row then stays beside the new one as `attempt-N.json`. A
process that is lost (stopped from outside, and not for memory; or silent) is tried again by itself, twice.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from scaling.border.files import write_json
from scaling.runs import store
from scaling.runs.estimate import estimated
from scaling.runs.failures import tells_out_of_memory
from scaling.runs.leases import LOST_LEASE, Lease, Leases
from scaling.runs.rows import FAILED, LOST, OOM, TIMEOUT, Row, read_row, write_row
from scaling.runs.spec import RunSpec
from scaling.runs.workdir import CONFIG, ENVIRONMENT, LOG, ROW
from scaling.sweeps.executors import Executor
from scaling.sweeps.expand import Trial
from scaling.sweeps.worker import Ended, Job, Resources, note

# A trial ends itself at `config.train.timeout`; one that hangs is ended so many seconds later.
TIMEOUT_MARGIN = 60.0
POLL_SECONDS = 1.0
ELSEWHERE_SECONDS = 0.25
TRIES = 3  # of a trial whose process is lost
KILLED, STOPPED = (-9, 137), (-15, 143, LOST_LEASE)
REFUSAL = "error: "  # how a command begins the paragraph that it refuses with
EXCEPTION = re.compile(r"[\w.]+(Error|Exception|Interrupt|Exit)\b")
SHOWN = 400  # characters of an error
NOTHING: Mapping[str, Any] = MappingProxyType({})

Command = Callable[[Path], Sequence[str]]
Report = Callable[[Trial, Row], None]
UnderWay = Sequence[tuple[Trial, Path]]  # trials that have not ended, with the directories of their runs
Watch = Callable[[UnderWay], None]


def pending(trials: Sequence[Trial], contents: store.Contents, retry: bool = False) -> list[Trial]:
    """The trials that need a process, in order."""
    return [trial for trial in trials if not contents.is_settled(trial.spec, retry)]


def run(
    trials: Sequence[Trial],
    workdir: Path,
    executor: Executor,
    command: Command,
    report: Report,
    retry: bool = False,
    watch: Watch | None = None,
    leases: Leases | None = None,
) -> None:
    """Run every trial to its row; `command(run directory)` is the process, `report` hears of each row.

    What has a row by now keeps it, with `retry` only a final one.
    `watch` is called about every second with what is under way.
    A trial that fails never stops the others. Any exception, Ctrl-C too, cancels the processes and
    leaves their runs without a row, to be resumed by the next call. Whoever else runs trials of this
    directory meanwhile shares the work: each trial is run by one of them, and every one hears of its row.
    """
    pool = Pool(workdir, executor, command, retry, watch, leases)
    try:
        for trial in trials:
            pool.submit(trial)
        while pool.under_way:
            for trial, row, _ in pool.poll():
                report(trial, row)
    except BaseException:
        pool.cancel()
        raise


class Finished(NamedTuple):
    """A trial with its row, and the seconds that its process took; 0 where the row was there."""

    trial: Trial
    row: Row
    seconds: float


class Pool:
    """Trials that are submitted as they become known, and come back in the order in which they end.

    The directory of one is `workdir/<run id>`. What has a row there comes back with it; `retry` runs it again
    where the row is not final. A trial is begun under a lease: one that another driver holds is waited for.
    """

    def __init__(
        self,
        workdir: Path,
        executor: Executor,
        command: Command,
        retry: bool = False,
        watch: Watch | None = None,
        leases: Leases | None = None,
    ):
        self._workdir, self._executor, self._command, self._retry = workdir, executor, command, retry
        self._watch, self._leases = watch, leases or Leases()
        self._waiting: dict[str, tuple[Trial, bytes]] = {}  # with the old row that is to be replaced
        self._working: dict[str, tuple[Trial, Lease]] = {}
        self._settled: list[Finished] = []

    @property
    def under_way(self) -> int:
        """How many trials were submitted and have not come back."""
        return len(self._waiting) + len(self._working) + len(self._settled)

    def directory(self, trial: Trial) -> Path:
        """Where a trial's run writes."""
        return self._workdir / trial.spec.id

    def submit(self, trial: Trial) -> None:
        """Queue a trial, and return at once; one that is under way is not queued twice."""
        known = {found.trial.spec.id for found in self._settled} | self._waiting.keys() | self._working.keys()
        if trial.spec.id in known:
            return
        there = store.scan(self.directory(trial))
        row = store.row_of(there.rows, trial.spec)
        if row is not None and there.is_settled(trial.spec, self._retry):
            self._settled.append(Finished(trial, row, 0.0))
        else:
            self._waiting[trial.spec.id] = trial, self._row_text(trial)

    def poll(self) -> list[Finished]:
        """The trials that ended since the last call, after a moment's wait where there is none yet."""
        ended, self._settled = self._settled, []
        ended += self._begin()
        for process in self._executor.poll(0.0 if ended else POLL_SECONDS):
            ended += self._end(process)
        self.look()
        if not ended and not self._working:
            time.sleep(ELSEWHERE_SECONDS)  # all that is left is at work elsewhere
        return ended

    def look(self) -> None:
        """Have the watch shown what is under way."""
        if self._watch:
            self._watch([(trial, self.directory(trial)) for trial, _ in self._working.values()])

    def cancel(self) -> None:
        """End all processes; their runs have no row, and stay resumable."""
        try:
            self._executor.cancel()
        finally:
            self._leases.close()
            self._waiting.clear()
            self._working.clear()
            self._settled.clear()

    def _begin(self) -> list[Finished]:
        """Begin what waits, as far as there is room; return what others have finished meanwhile."""
        found = []
        for key, (trial, old) in list(self._waiting.items()):
            if not self._executor.room():
                break
            directory = self.directory(trial)
            lease = self._leases.claim(directory)
            if (row := self._new_row(trial, old)) is not None:
                found.append(Finished(trial, row, 0.0))
                self._leases.release(directory)
            elif lease is not None:
                self._working[key] = trial, lease
                self._executor.submit(_prepare(trial, directory, self._command, lease))
            else:
                continue
            del self._waiting[key]
        return found

    def _end(self, process: Ended) -> list[Finished]:
        """The trial of an ended process with its row; none where it is tried again, or is another's now."""
        key = process.job.id
        trial, lease = self._working.pop(key)
        row = settle(trial.spec, process) if lease.is_held else None
        self._leases.release(process.job.directory)
        if row is not None:
            return [Finished(trial, row, process.seconds)]
        self._waiting[key] = trial, b""  # the old row was set aside
        return []

    def _new_row(self, trial: Trial, old: bytes) -> Row | None:
        """The row that another driver wrote since there was `old`; None for a damaged one, too."""
        if self._row_text(trial) in (b"", old):
            return None
        with contextlib.suppress(ValueError, OSError):
            return read_row(self.directory(trial) / ROW)
        return None

    def _row_text(self, trial: Trial) -> bytes:
        try:
            return (self.directory(trial) / ROW).read_bytes()
        except OSError:
            return b""


def settle(spec: RunSpec, ended: Ended) -> Row | None:
    """The row of an ended process: its own where it wrote one, else one that says how it died.

    None where the process was lost and is to be tried again; its row is then set aside.
    """
    directory = ended.job.directory
    path = directory / ROW
    try:
        return read_row(path)
    except (ValueError, OSError):
        store.set_aside(directory)
    log = store.read_tail(directory / LOG, ended.log_start)
    status, reason = _diagnose(ended, log)
    row = lost_row(spec, status, f"{reason}\n{log}".strip(), ended.seconds, _environment(directory))
    row = dataclasses.replace(row, **estimated(directory))
    # A row that was final once and is asked for again is among the attempts, and begins a new count
    if status == LOST and (store.attempts(directory, LOST) + 1) % TRIES:
        write_row(store.next_attempt(directory), row)
        note(f"run {spec.id} was lost and is tried again: {reason}")
        return None
    write_row(path, row)
    return row


def lost_row(
    spec: RunSpec, status: str, message: str, seconds: float, env: Mapping[str, Any] = NOTHING
) -> Row:
    """The row of a run that could not write its own; what it did not get to count is 0.

    `env` is the run's `env.json`, as far as it came.
    """
    recorded = {key: env[key] for key in ("git_revision", "versions", "device_kind") if key in env}
    return Row(
        id=spec.id,
        status=status,
        spec=spec,
        **_network(spec),
        params=0,
        batch_stats=0,
        macs=0,
        activations=0,
        seed=spec.seed,
        dataset=spec.data.name or spec.data.source,
        seconds=seconds,
        finished=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        message=message,
        **recorded,
    )


def _network(spec: RunSpec) -> dict[str, Any]:
    """The row's fields on the network; where it cannot even be resolved, its name alone."""
    from scaling.runs.resolve import resolve

    try:
        arch, factors = resolve(spec.model, num_classes=1, in_channels=3)
    except (KeyError, ValueError, TypeError):
        phi = spec.model.phi if spec.model.rule == "compound" else None
        name = {"arch_name": spec.model.name, "family": "", "resolution": 0, "phi": phi}
        return {**name, "depth_factor": 0.0, "width_factor": 0.0}
    scaled = {"depth_factor": factors.depth, "width_factor": factors.width, "phi": factors.phi}
    return {"arch_name": arch.name, "family": arch.family, "resolution": arch.resolution, **scaled}


def _environment(directory: Path) -> dict[str, Any]:
    try:
        return json.loads((directory / ENVIRONMENT).read_text())
    except (OSError, ValueError):
        return {}


def _prepare(trial: Trial, directory: Path, command: Command, lease: Lease) -> Job:
    """Put the trial's config in its directory, an old row aside, and describe its process."""
    store.set_aside(directory)
    write_json(directory / CONFIG, trial.spec.to_dict())
    told = trial.spec.train
    return Job(
        trial.spec.id,
        directory,
        tuple(command(directory)),
        told.timeout + TIMEOUT_MARGIN if told.timeout else 0.0,
        told.silence,
        lease.environment,
        Resources(told.cpus, told.gpus, told.memory),
    )


def _diagnose(ended: Ended, log: str) -> tuple[str, str]:
    """The status of a process that left no row, and one line on why."""
    if ended.timed_out:
        return TIMEOUT, f"stopped after {ended.seconds:.0f} s, over its limit of {ended.job.timeout:.0f} s."
    if tells_out_of_memory(log):
        return OOM, f"out of memory (exit code {ended.code})."
    if ended.silent:
        return LOST, f"ended as silent: no line and no processor time for {ended.job.silence:g} s."
    if ended.code in KILLED:
        if ended.starved:
            return OOM, "killed by the system, which was out of memory."
        return LOST, "killed by SIGKILL, while the system did not lack memory."
    if ended.code in STOPPED:
        return LOST, f"stopped from outside (exit code {ended.code})."
    return FAILED, f"it ended with exit code {ended.code} and left no row: {last_error(log)}".rstrip(": ")


def last_error(log: str) -> str:
    """The error that a log ends with, in a line: ours whole, of an exception its own line, else the last."""
    lines = log.splitlines()
    for i in reversed(range(len(lines))):
        if lines[i].startswith(REFUSAL):
            return " ".join(lines[i:]).removeprefix(REFUSAL)[:SHOWN]
        if EXCEPTION.match(lines[i]):
            return lines[i][:SHOWN]
    return lines[-1][:SHOWN] if lines else ""
