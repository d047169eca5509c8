"""What a run holds open beside its state: journal, clock, reporter, requests to stop; and its row."""

from __future__ import annotations

import contextlib
import datetime
import functools
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax

from scaling.border.typed import flatten
from scaling.runs.rows import NAMED_CLASSES, Row
from scaling.runs.workdir import CHECKPOINTS
from scaling.training import checkpoints, environment, peers
from scaling.training.clock import Clock
from scaling.training.interrupts import Requests, requests
from scaling.training.metrics import Journal, Ledger, Mark, Skipped
from scaling.training.plan import Plan
from scaling.training.progress import Reporter, Silent, make_reporter
from scaling.training.runtime import Runtime
from scaling.training.state import TrainState
from scaling.training.trackers import Told, Trackers

NAMED_PROBLEMS = 5


@dataclass
class Attempt:
    """One attempt at a run. `steps` counts finished updates, `before` holds earlier attempts' measures."""

    plan: Plan
    runtime: Runtime
    workdir: Path
    journal: Journal
    ledger: Ledger
    clock: Clock
    reporter: Reporter
    requests: Requests
    started: float
    before: dict[str, Any]
    steps: int
    rollbacks: int
    trackers: Trackers

    def measures(self) -> dict[str, Any]:
        """Return the row's measured fields so far, over all attempts at this run.

        Step times and waiting are those of the last attempt that was long enough to tell.
        """
        before, found = self.before, dict[str, Any]()
        if self.clock.is_steady or "step_ms" not in before:
            found |= self.clock.measures(self.plan.spec.train.batch)
        if self.ledger.last:
            found["train_loss"] = finite(self.ledger.last["loss"])
        found |= {"skipped": self.ledger.skipped.steps, "rollbacks": self.rollbacks}
        found["compile_seconds"] = before.get("compile_seconds", 0.0) + self.runtime.compile_seconds
        found["peak_memory"] = max(before.get("peak_memory", 0), environment.peak_memory(self.plan.devices))
        found["seconds"] = before.get("seconds", 0.0) + time.monotonic() - self.started
        return {**before, **found}

    def rolled_back(self, failed: int) -> TrainState:
        """Go back before step `failed`, to go on at a lower learning rate; return the state there.

        That is the newest intact checkpoint that was due, else the start. One that a stop has left in between
        does not count, so that an interrupted run goes back to where an uninterrupted one does.
        """
        plan, directory, state = self.plan, self.workdir / CHECKPOINTS, self.runtime.first_state()
        found = checkpoints.restore(directory, state, failed - 1, plan.spec.id, among=plan.checkpoints)
        state, told = found or (state, {})
        self.ledger.drop()
        self.ledger.window = told.get("window", [])
        self.steps, self.rollbacks = told.get("step", 0), self.rollbacks + 1
        self.journal.rewind(self.steps, _mark(told))
        checkpoints.drop_after(directory, self.steps)
        factor = self.slow()
        self.reporter.line(
            f"not finite at step {failed}: back to step {self.steps}, at {factor:g} times the learning rate"
        )
        return state

    def slow(self) -> float:
        """Have the runtime train at the rate that follows so many rollbacks; return its factor."""
        factor = self.plan.spec.train.rollback_rate**self.rollbacks
        self.runtime.slow(factor)
        return factor

    def name_problems(self, problems: Sequence[str]) -> None:
        """Say which examples of the data cannot be used."""
        for problem in problems[:NAMED_PROBLEMS]:
            self.reporter.line(f"left out: {problem}")
        if len(problems) > NAMED_PROBLEMS:
            self.reporter.line(f"left out: {len(problems)} examples in all")


@contextlib.contextmanager
def prepared(
    plan: Plan, runtime: Runtime, workdir: Path, reporter: Reporter | None, started: float
) -> Iterator[tuple[Attempt, TrainState]]:
    """Restore or begin: yield the attempt and its host state, and close what was opened."""
    first = jax.process_index() == 0
    shown = (reporter or make_reporter()) if first else Silent()
    state, before = runtime.first_state(), {}
    if (restored := checkpoints.restore(workdir / CHECKPOINTS, state, run=plan.spec.id)) is not None:
        state, before = restored
    _check_data(plan, before.pop("data", None), workdir)
    step, mark, skipped = before.pop("step", 0), _mark(before), Skipped(*before.pop("skips", ()))
    trackers = _trackers(plan, workdir, shown if first else None)
    journal, clock = Journal(workdir if first else None, step, mark, trackers.log), Clock()
    journal.describe(_config(plan))
    ledger = Ledger(plan, runtime.engine.unreplicate, journal, shown, clock, skipped)
    ledger.window = before.pop("window", [])
    rollbacks = before.pop("rollbacks", 0)
    try:
        for problem in journal.problems:
            shown.line(problem)
        late = functools.partial(peers.overdue, workdir) if jax.process_count() > 1 else None
        with requests(late, peers.STOP_SECONDS) as caught:
            attempt = Attempt(
                plan,
                runtime,
                workdir,
                journal,
                ledger,
                clock,
                shown,
                caught,
                started,
                before,
                step,
                rollbacks,
                trackers,
            )
            attempt.slow()
            _announce(attempt)
            yield attempt, state
    finally:
        ledger.close()
        journal.close()
        trackers.finish()
        shown.close()


def _trackers(plan: Plan, workdir: Path, shown: Reporter | None) -> Trackers:
    """The trackers that the config names, of the first process; none of the others."""
    spec = plan.spec
    told = Told(spec.id, f"{plan.arch.name} seed {spec.seed}", workdir, _config(plan))
    return Trackers(spec.train.trackers, told, shown.line) if shown else Trackers((), told, print)


def _config(plan: Plan) -> dict[str, Any]:
    return flatten(plan.spec.to_dict())


def saved_with(attempt: Attempt) -> dict[str, Any]:
    """What a checkpoint holds beside the state: measures, where the journal ends, which data it saw."""
    mark = attempt.journal.mark
    journal = {"journal_size": mark.size, "journal_crc": mark.crc}
    data = attempt.plan.dataset.fingerprint
    counted = {"step": attempt.steps, "skips": list(attempt.ledger.skipped)}
    counted["window"] = attempt.ledger.window
    return {**attempt.measures(), **counted, "data": data, **journal}


def _mark(told: dict[str, Any]) -> Mark:
    """Take out of what a checkpoint tells where the journal ended."""
    return Mark(told.pop("journal_size", 0), told.pop("journal_crc", None))


def _check_data(plan: Plan, seen: str | None, workdir: Path) -> None:
    """Raise ValueError where the data is not what earlier attempts saw; older checkpoints do not tell."""
    if seen is not None and seen != (found := plan.dataset.fingerprint):
        raise ValueError(
            f"{workdir} was trained on data of fingerprint {seen}, but {plan.dataset.name} now has {found} "
            f"({len(plan.dataset.train)} training images): put the data back, or choose another --workdir."
        )


def _announce(attempt: Attempt) -> None:
    plan, cost, data = attempt.plan, attempt.plan.cost, attempt.plan.dataset
    attempt.reporter.line(
        f"{plan.arch.name} at {plan.arch.resolution} px: {cost.params:,} parameters, {cost.macs / 1e6:,.1f} million "
        f"MACs an image; {data.name}: {len(data.train)} training images, {plan.total_steps} steps of "
        f"{plan.spec.train.batch} on {len(plan.devices)} {plan.devices[0].device_kind} device(s)"
    )
    if attempt.steps:
        attempt.reporter.line(f"resuming from step {attempt.steps}")
    attempt.name_problems(data.problems)


def make_row(plan: Plan, steps: int, **fields: Any) -> Row:
    """Return the row of a run that ended after `steps` steps, with the measured `fields`."""
    spec, arch, cost = plan.spec, plan.arch, plan.cost
    known = environment.describe()
    return Row(
        id=spec.id,
        spec=spec,
        arch_name=arch.name,
        family=arch.family,
        depth_factor=plan.coefficients.depth,
        width_factor=plan.coefficients.width,
        resolution=arch.resolution,
        phi=plan.coefficients.phi,
        params=cost.params,
        batch_stats=cost.batch_stats,
        macs=cost.macs,
        activations=cost.activations,
        seed=spec.seed,
        steps=steps,
        examples_seen=steps * spec.train.batch,
        train_flops=plan.train_flops(steps),
        dataset=plan.dataset.name,
        classes=plan.dataset.class_names if plan.dataset.num_classes <= NAMED_CLASSES else (),
        device_kind=known["device_kind"],
        device_count=len(plan.devices),
        process_count=known["process_count"],
        git_revision=known["git_revision"],
        versions=known["versions"],
        finished=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        **{"examples": plan.dataset.examples, **fields},
    )


def finite(value: float) -> float | None:
    """Return the value, or None where it is not finite: JSON has no word for it."""
    return value if math.isfinite(value) else None
