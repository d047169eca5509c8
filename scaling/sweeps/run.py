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
from typing import Any

from scaling.border.files import write_json
from scaling.runs import store
from scaling.runs.rows import Row, read_row, write_row
from scaling.runs.spec import RunSpec
from scaling.runs.workdir import CONFIG, ENVIRONMENT, LOG, ROW
from scaling.sweeps.executors import Ended, Executor, Job
from scaling.sweeps.expand import Trial

# A trial ends itself at `config.train.timeout`; one that hangs is ended so many seconds later.
TIMEOUT_MARGIN = 60.0
POLL_SECONDS = 1.0
OUT_OF_MEMORY = re.compile(r"RESOURCE_EXHAUSTED|out of memory|MemoryError|std::bad_alloc", re.IGNORECASE)
KILLED = (-9, 137)
NOTHING: Mapping[str, Any] = MappingProxyType({})

Command = Callable[[Path], Sequence[str]]
Report = Callable[[Trial, Row], None]


def pending(trials: Sequence[Trial], contents: store.Contents, retry: bool = False) -> list[Trial]:
    """The trials that need a process, in order."""
    return [trial for trial in trials if not contents.is_settled(trial.spec.id, retry)]


def run(trials: Sequence[Trial], workdir: Path, executor: Executor, command: Command, report: Report) -> None:
    """Run every trial to its row; `command(run directory)` is the process, `report` hears of each row.

    A trial that fails never stops the others. Any exception, Ctrl-C too, cancels the processes and
    leaves their runs without a row, to be resumed by the next call.
    """
    open_trials = {trial.spec.id: trial for trial in trials}
    try:
        for trial in trials:
            executor.submit(_prepare(trial, workdir / trial.spec.id, command))
        while open_trials:
            for ended in executor.poll(POLL_SECONDS):
                trial = open_trials.pop(ended.job.id)
                report(trial, settle(trial.spec, ended))
    except BaseException:
        executor.cancel()
        raise


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
        return "timeout", f"stopped after {ended.seconds:.0f} s, over its limit of {ended.job.timeout:.0f} s."
    if OUT_OF_MEMORY.search(log):
        return "oom", f"out of memory (exit code {ended.code})."
    if ended.code in KILLED:
        return "oom", "killed by SIGKILL, as the system does when memory runs out."
    return "failed", f"the process ended with exit code {ended.code} and left no row."
