"""The one training loop: spec -> plan -> state -> steps -> row."""

from __future__ import annotations

import contextlib
import datetime
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax

from scaling.rows import Row, write_row
from scaling.spec import RunSpec
from scaling.training import checkpoints, environment
from scaling.training.evaluate import Scores
from scaling.training.interrupts import Interrupted, Requests, requests
from scaling.training.metrics import Clock, Journal, Ledger, NonFinite
from scaling.training.plan import Plan, due, make_plan
from scaling.training.progress import Reporter, Silent, make_reporter
from scaling.training.rig import Rig
from scaling.training.state import TrainState, models
from scaling.training.workdir import check_owner, claim, finished_row, write_json

TIMED_OUT = -1
NAMED_PROBLEMS = 5


class OutOfTime(Exception):
    """The run reached `config.train.timeout`; its state is saved."""


@dataclass
class Run:
    """What the loop carries beside the state: effects, and measures that end up in the row."""

    plan: Plan
    rig: Rig
    workdir: Path
    journal: Journal
    ledger: Ledger
    clock: Clock
    reporter: Reporter
    requests: Requests
    started: float
    before: dict[str, Any]
    steps: int

    def measures(self) -> dict[str, Any]:
        """Return the row's measured fields so far, over all attempts at this run."""
        found: dict[str, Any] = self.clock.measures(self.plan.spec.train.batch)
        if "loss" in self.ledger.last:
            found["train_loss"] = self.ledger.last["loss"]
        found["compile_seconds"] = self.rig.compile_seconds
        found["peak_memory"] = environment.peak_memory(list(self.plan.devices))
        found["seconds"] = self.before.get("seconds", 0.0) + time.monotonic() - self.started
        return {**self.before, **found}


def run(spec: RunSpec, workdir: Path | str, reporter: Reporter | None = None) -> Row:
    """Train, or go on training, what `spec` says in `workdir`; return its row.

    A finished run returns its row at once. A loss that is not finite ends as status "nan", too
    little memory as "oom", too little time as "timeout". SIGINT and SIGTERM save a checkpoint and
    raise `Interrupted`; calling again goes on from there. ValueError, before anything is written,
    where the spec cannot be run or the directory holds another run.
    """
    workdir, started = Path(workdir), time.monotonic()
    check_owner(workdir, spec)
    if (row := finished_row(workdir, spec)) is not None:
        return row
    plan = make_plan(spec)
    rig = Rig(plan)
    if jax.process_index() == 0:
        claim(workdir, spec)
        write_json(workdir / "env.json", environment.describe())
    with _prepared(plan, rig, workdir, _shown(reporter), started) as (current, state):
        row = _row(plan, **_outcome(current, state))
    if jax.process_index() == 0:
        write_row(workdir / "row.json", row)
    return row


def _outcome(run: Run, state: TrainState | None) -> dict[str, Any]:
    """Train and evaluate; return the fields of the row that were not known from the plan."""
    status, message, scores = "ok", "", {}
    try:
        scores = _finish(run, _train(run, state))
    except NonFinite as error:
        status, message, run.steps = "nan", str(error), error.step
    except OutOfTime as error:
        status, message = "timeout", str(error)
    except (jax.errors.JaxRuntimeError, MemoryError) as error:
        if not isinstance(error, MemoryError) and "RESOURCE_EXHAUSTED" not in str(error):
            raise
        status, message = "oom", str(error).strip().splitlines()[0] if str(error) else "out of memory"
    run.reporter.line(f"{status} after {run.steps} steps{': ' + message if message else ''}")
    return {"status": status, "message": message, "steps": run.steps, **run.measures(), **scores}


@contextlib.contextmanager
def _prepared(
    plan: Plan, rig: Rig, workdir: Path, reporter: Reporter, started: float
) -> Iterator[tuple[Run, TrainState]]:
    """Restore or begin: yield the run and its host state, and close what was opened."""
    state, before = rig.first_state(), {}
    restored = checkpoints.restore(workdir / "checkpoints", like=state)
    if restored is not None:
        state, before = restored
        reporter.line(f"resuming from step {before['step']}")
    step, size = before.pop("step", 0), before.pop("journal_size", 0)
    journal = Journal(workdir if jax.process_index() == 0 else None, step, size)
    clock = Clock()
    ledger = Ledger(plan, rig.engine.unreplicate, journal, reporter, clock)
    _announce(plan, reporter)
    try:
        with requests() as caught:
            yield (
                Run(plan, rig, workdir, journal, ledger, clock, reporter, caught, started, before, step),
                state,
            )
    finally:
        journal.close()
        reporter.close()


def _train(run: Run, state: Any) -> Any:
    """Make the remaining calls of the plan; return the state on the devices."""
    plan, rig = run.plan, run.rig
    batches, state = rig.batches(run.steps), rig.engine.replicate(state)
    run.clock.restart()
    for call in plan.calls(run.steps):
        with run.clock.waiting():
            batch = rig.take(batches, call.steps)
        compiled = rig.compile_seconds
        state, metrics = rig.program(call.resolution)(state, batch, rig.resident)
        if rig.compile_seconds != compiled:
            run.clock.restart()
        run.ledger.push(call, metrics)
        run.steps = call.stop
        _after(run, state)
    return state


def _after(run: Run, state: Any) -> None:
    """Do what is due after a call: evaluate, save, stop."""
    evaluates, saves = run.plan.evaluates(run.steps), run.plan.checkpoints(run.steps)
    stop = _stop_reason(run)
    if not (evaluates or saves or stop):
        return
    run.ledger.settle()
    if evaluates:
        _validate(run, state)
    if saves or stop:
        _save(run, state)
    run.clock.restart()
    if stop == TIMED_OUT:
        raise OutOfTime(f"config.train.timeout={run.plan.spec.train.timeout:g} s reached at step {run.steps}")
    if stop and run.steps < run.plan.total_steps:
        raise Interrupted(stop, f"stopped at step {run.steps}; the same command goes on from there")


def _stop_reason(run: Run) -> int:
    """Return a signal's number, TIMED_OUT, or 0; the same in all processes."""
    if jax.process_count() > 1 and not due(run.steps, run.plan.log_every):
        return 0
    timeout = run.plan.spec.train.timeout
    late = 0 < timeout < time.monotonic() - run.started and run.steps < run.plan.total_steps
    return run.requests.agreed(run.requests.signum or (TIMED_OUT if late else 0))


def _save(run: Run, state: Any) -> None:
    meta = {**run.measures(), "step": run.steps, "journal_size": run.journal.size}
    host = run.rig.engine.unreplicate(state)
    checkpoints.save(run.workdir / "checkpoints", run.steps, host, meta, run.plan.spec.train.keep)


def _validate(run: Run, state: Any) -> dict[str, Any]:
    return _score(run, state, "validation", run.plan.dataset.validation)


def _finish(run: Run, state: Any) -> dict[str, Any]:
    """Evaluate on validation and, for the only time, on the test split; return the row's fields."""
    found = {"val": _validate(run, state)}
    test = run.plan.dataset.test()
    found["test"] = _score(run, state, "test", test)
    fields: dict[str, Any] = {"examples": {**run.plan.dataset.examples, "test": len(test)}}
    for split, scores in found.items():
        fields |= {f"{split}_{name}": value for name, value in scores.items()}
    return fields


def _score(run: Run, state: Any, split_name: str, split: Any) -> dict[str, float]:
    """Evaluate raw and averaged models on a split; write a line; return {"top1", ..., "top1_ema"}."""
    scored: dict[str, Scores] = run.rig.evaluate(models(state), split)
    values = {name: getattr(scored["raw"], name) for name in ("top1", "top5", "loss")}
    if "ema" in scored:
        values |= {f"{name}_ema": getattr(scored["ema"], name) for name in ("top1", "top5")}
    run.journal.write(run.steps, run.steps / run.plan.steps_per_epoch, split_name, values)
    shown = "  ".join(f"{name} {value:.4f}" for name, value in values.items())
    run.reporter.line(f"step {run.steps}/{run.plan.total_steps}  {split_name}  {shown}")
    return values


def _row(plan: Plan, steps: int, **fields: Any) -> Row:
    spec, arch, cost = plan.spec, plan.arch, plan.cost
    known = environment.describe()
    left_out = f"{len(plan.dataset.problems)} bad examples left out" if plan.dataset.problems else ""
    return Row(
        id=spec.id,
        spec=spec.to_dict(),
        arch_name=arch.name,
        family=arch.family,
        depth=plan.coefficients.depth,
        width=plan.coefficients.width,
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
        device_kind=known["device_kind"],
        device_count=len(plan.devices),
        process_count=known["process_count"],
        git_revision=known["git_revision"],
        versions=known["versions"],
        finished=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        **{"examples": plan.dataset.examples, **fields, "message": fields["message"] or left_out},
    )


def _announce(plan: Plan, reporter: Reporter) -> None:
    """Say what is about to run, and what of the data cannot be used."""
    cost, data = plan.cost, plan.dataset
    reporter.line(
        f"{plan.arch.name} at {plan.arch.resolution} px: {cost.params:,} parameters, {cost.macs / 1e6:,.1f} million "
        f"MACs an image; {data.name}: {len(data.train)} training images, {plan.total_steps} steps of "
        f"{plan.spec.train.batch} on {len(plan.devices)} {plan.devices[0].device_kind} device(s)"
    )
    for problem in data.problems[:NAMED_PROBLEMS]:
        reporter.line(f"left out: {problem}")
    if len(data.problems) > NAMED_PROBLEMS:
        reporter.line(f"left out: {len(data.problems)} examples in all")


def _shown(reporter: Reporter | None) -> Reporter:
    if jax.process_index() != 0:
        return Silent()
    return make_reporter() if reporter is None else reporter
