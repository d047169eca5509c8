"""The sweep loop: skip what is finished, run the rest, and leave exactly one row a trial.

Rows of status ok and nan are final. A run that failed, ran out of memory or of time keeps its row
until it is asked for again with `retry`; the old row then stays beside the new one as `attempt-N.json`.
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from scaling.border.files import write_json
from scaling.runs import store
from scaling.runs.failures import tells_out_of_memory
from scaling.runs.rows import FAILED, OOM, TIMEOUT, Row, read_row, write_row
from scaling.runs.spec import RunSpec
from scaling.runs.workdir import CONFIG, ENVIRONMENT, LOG, ROW
from scaling.sweeps.executors import Ended, Executor, Job
from scaling.sweeps.expand import Trial

# A trial ends itself at `config.train.timeout`; one that hangs is ended so many seconds later.
TIMEOUT_MARGIN = 60.0
POLL_SECONDS = 1.0
KILLED = (-9, 137)
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
    watch: Watch | None = None,
) -> None:
    """Run every trial to its row; `command(run directory)` is the process, `report` hears of each row.

    `watch` is called about every second with what is under way.
    A trial that fails never stops the others. Any exception, Ctrl-C too, cancels the processes and
    leaves their runs without a row, to be resumed by the next call.
    """
    pool = Pool(workdir, executor, command, retry=True, watch=watch)
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
    where the row is not final.
    """

    def __init__(
        self,
        workdir: Path,
        executor: Executor,
        command: Command,
        retry: bool = False,
        watch: Watch | None = None,
    ):
        self._workdir, self._executor, self._command, self._retry = workdir, executor, command, retry
        self._watch = watch
        self._trials: dict[str, Trial] = {}
        self._settled: list[Finished] = []

    @property
    def under_way(self) -> int:
        """How many trials were submitted and have not come back."""
        return len(self._trials)

    def directory(self, trial: Trial) -> Path:
        """Where a trial's run writes."""
        return self._workdir / trial.spec.id

    def submit(self, trial: Trial) -> None:
        """Queue a trial, and return at once; one that is under way is not queued twice."""
        if trial.spec.id in self._trials:
            return
        self._trials[trial.spec.id] = trial
        there = store.scan(self.directory(trial))
        row = store.row_of(there.rows, trial.spec)
        if row is not None and there.is_settled(trial.spec, self._retry):
            self._settled.append(Finished(trial, row, 0.0))
        else:
            self._executor.submit(_prepare(trial, self.directory(trial), self._command))

    def poll(self) -> list[Finished]:
        """The trials that ended since the last call, after a moment's wait where there is none yet."""
        ended, self._settled = self._settled, []
        for process in [] if ended else self._executor.poll(POLL_SECONDS):
            trial = self._trials[process.job.id]
            ended.append(Finished(trial, settle(trial.spec, process), process.seconds))
        for trial, _, _ in ended:
            del self._trials[trial.spec.id]
        if self._watch:
            self._watch([(trial, self.directory(trial)) for trial in self._trials.values()])
        return ended

    def cancel(self) -> None:
        """End all processes; their runs have no row, and stay resumable."""
        self._executor.cancel()
        self._trials.clear()
        self._settled.clear()


def settle(spec: RunSpec, ended: Ended) -> Row:
    """The row of an ended process: its own where it wrote one, else one that says how it died."""
    path = ended.job.directory / ROW
    try:
        return read_row(path)
    except (ValueError, OSError):
        store.set_aside(ended.job.directory)
    log = store.read_tail(ended.job.directory / LOG, ended.log_start)
    status, reason = _diagnose(ended, log)
    row = lost_row(spec, status, f"{reason}\n{log}".strip(), ended.seconds, _environment(ended.job.directory))
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


def _prepare(trial: Trial, directory: Path, command: Command) -> Job:
    """Put the trial's config in its directory, an old row aside, and describe its process."""
    store.set_aside(directory)
    write_json(directory / CONFIG, trial.spec.to_dict())
    limit = trial.spec.train.timeout
    return Job(trial.spec.id, directory, tuple(command(directory)), limit + TIMEOUT_MARGIN if limit else 0.0)


def _diagnose(ended: Ended, log: str) -> tuple[str, str]:
    """The status of a process that left no row, and one line on why."""
    if ended.timed_out:
        return TIMEOUT, f"stopped after {ended.seconds:.0f} s, over its limit of {ended.job.timeout:.0f} s."
    if tells_out_of_memory(log):
        return OOM, f"out of memory (exit code {ended.code})."
    if ended.code in KILLED:
        return OOM, "killed by SIGKILL, as the system does when memory runs out."
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
