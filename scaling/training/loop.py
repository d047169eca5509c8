"""The one training loop: spec -> plan -> state -> steps -> row."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Any

import jax

from scaling.border.files import write_json
from scaling.runs import store
from scaling.runs.estimate import estimated
from scaling.runs.failures import is_out_of_memory
from scaling.runs.rows import AVERAGED, NAN, OK, OOM, TIMEOUT, Row, write_row
from scaling.runs.spec import ROLLBACK, RunSpec
from scaling.runs.workdir import (
    CHECKPOINTS,
    ENVIRONMENT,
    NETWORK,
    PICTURES,
    ROW,
    check_owner,
    claim,
    finished_row,
)
from scaling.training import checkpoints, environment, peers, pictures
from scaling.training.attempt import Attempt, finite, make_row, prepared, saved_with
from scaling.training.evaluate import Scores
from scaling.training.export import network_record
from scaling.training.interrupts import Interrupted
from scaling.training.metrics import NonFinite
from scaling.training.plan import Call, make_plan
from scaling.training.progress import Reporter
from scaling.training.runtime import Runtime
from scaling.training.state import TrainState, models

TIMED_OUT = -1


class OutOfTime(Exception):
    """The run reached `config.train.timeout`; its state is saved."""


def run(
    spec: RunSpec, workdir: Path | str, reporter: Reporter | None = None, runtime: Runtime | None = None
) -> Row:
    """Train, or go on training, what `spec` says in `workdir`; return its row.

    `runtime` is one of this very spec that was prepared before, its programs perhaps compiled. A finished
    run returns its row at once. A loss that is not finite ends as status "nan", too little memory as "oom",
    too little time as "timeout". SIGINT and SIGTERM save a checkpoint and raise `Interrupted`; calling
    again goes on from there. ValueError, before anything is written, where the spec cannot be run, or the
    directory holds another run or is held by another process.
    """
    workdir, started = Path(workdir), time.monotonic()
    check_owner(workdir, spec)
    if (row := finished_row(workdir, spec)) is not None:
        return row
    runtime = runtime or Runtime(make_plan(spec))
    # Several processes of one run hold the directory as one, by the first of them
    with store.lock(workdir) if jax.process_index() == 0 else contextlib.nullcontext():
        return _train_in(workdir, runtime, reporter, started)


def _train_in(workdir: Path, runtime: Runtime, reporter: Reporter | None, started: float) -> Row:
    """Train in a directory that is held; return the row once it is written."""
    plan, first = runtime.plan, jax.process_index() == 0
    check_owner(workdir, plan.spec)  # again: another process may have been here until now
    if first:
        claim(workdir, plan.spec)
        write_json(workdir / ENVIRONMENT, environment.describe())
        write_json(workdir / NETWORK, network_record(plan))
    with peers.watched(workdir):
        with prepared(plan, runtime, workdir, reporter, started) as (attempt, state):
            row = make_row(plan, **_outcome(attempt, state), **estimated(workdir))
            attempt.trackers.finish({name: value for name, value in row.metrics.items() if value is not None})
        if first:
            write_row(workdir / ROW, row)
    return row


def _outcome(attempt: Attempt, state: TrainState) -> dict[str, Any]:
    """Train and evaluate; return the fields of the row that were not known from the plan."""
    status, found = OK, {}
    try:
        found = _finish(attempt, _trained(attempt, state))
    except NonFinite as error:
        status, found, attempt.steps = NAN, {"message": str(error), "train_loss": None}, error.step
    except OutOfTime as error:
        status, found = TIMEOUT, {"message": str(error)}
    except (jax.errors.JaxRuntimeError, MemoryError, ValueError) as error:  # of JAX, also as ValueError
        if not is_out_of_memory(error):
            raise
        status, found = OOM, {"message": (str(error).strip() or "out of memory").splitlines()[0]}
    fields = {"status": status, "message": "", "steps": attempt.steps, **attempt.measures(), **found}
    attempt.reporter.line(f"{status} after {attempt.steps} steps  {fields['message']}".strip())
    return fields


def _trained(attempt: Attempt, state: Any) -> Any:
    """Train to the end, going back from what is not finite as often as the spec allows."""
    spec = attempt.plan.spec.train
    while True:
        try:
            return _train(attempt, state)
        except NonFinite as error:
            failed = error.step
            if spec.non_finite != ROLLBACK:
                raise
        if attempt.rollbacks == spec.non_finite_limit:
            raise NonFinite(failed, f", after {attempt.rollbacks} rollbacks (config.train.non_finite_limit)")
        state = attempt.rolled_back(failed)


def _train(attempt: Attempt, state: Any) -> Any:
    """Make the remaining calls of the plan; return the state on the devices."""
    plan, runtime, clock = attempt.plan, attempt.runtime, attempt.clock
    state = runtime.to_devices(state)
    with contextlib.closing(runtime.batches(attempt.steps)) as batches:
        clock.restart()
        for call in plan.calls(attempt.steps):
            with clock.taking():
                batch = next(batches)
            arguments, program = (state, batch, runtime.resident), runtime.program(plan.phase(call.start))
            if compiles := not program.knows(*arguments):
                attempt.ledger.wait()
            state, metrics = program(*arguments)
            if compiles:
                clock.restart()
            attempt.ledger.push(call, metrics)
            attempt.steps = call.stop
            _after(attempt, state, call)
    return state


def _after(attempt: Attempt, state: Any, call: Call) -> None:
    """Do what is due after a call: evaluate, save, stop."""
    plan, steps, stop = attempt.plan, attempt.steps, _stop_reason(attempt, call)
    evaluates, saves = plan.evaluates(steps), plan.checkpoints(steps)
    if not (evaluates or saves or stop):
        return
    attempt.ledger.settle()
    if evaluates:
        _validate(attempt, state)
    if saves or stop:
        _save(attempt, state)
    attempt.clock.restart()
    if stop == TIMED_OUT:
        raise OutOfTime(f"config.train.timeout={plan.spec.train.timeout:g} s reached at step {steps}")
    if stop and steps < plan.total_steps:
        raise Interrupted(stop, f"stopped at step {steps}; the same command goes on from there")


def _stop_reason(attempt: Attempt, call: Call) -> int:
    """Return a signal's number, TIMED_OUT, or 0; equal in all processes, which agree where a log is due."""
    plan = attempt.plan
    if jax.process_count() > 1 and not plan.logs(call):
        return 0
    late = 0 < plan.spec.train.timeout < time.monotonic() - attempt.started
    timed_out = TIMED_OUT if late and attempt.steps < plan.total_steps else 0
    return attempt.requests.agreed(attempt.requests.signum or timed_out)


def _save(attempt: Attempt, state: Any) -> None:
    """Save a checkpoint, and keep the one that a rollback would go back to."""
    host, plan, steps = attempt.runtime.to_host(state), attempt.plan, attempt.steps
    directory, train = attempt.workdir / CHECKPOINTS, plan.spec.train
    held = plan.last_checkpoint(steps) if train.non_finite == ROLLBACK else None
    checkpoints.save(directory, steps, host, saved_with(attempt), train.keep, plan.spec.id, held)


def _finish(attempt: Attempt, state: Any) -> dict[str, Any]:
    """Evaluate on validation and, for the only time, on the test split; return the row's fields."""
    data = attempt.plan.dataset
    found = {f"val_{name}": value for name, value in _validate(attempt, state).items()}
    if data.test is None:
        return {"message": _left_out(len(data.problems)), "metrics": found}
    test = data.test()
    attempt.name_problems(test.problems)
    found |= {f"test_{name}": value for name, value in _score(attempt, state, "test", test).items()}
    if attempt.plan.spec.train.pictures and jax.process_index() == 0:
        pictures.save(attempt.workdir / PICTURES, attempt.runtime, attempt.runtime.to_host(state), test)
    return {
        "examples": {**data.examples, "test": len(test)},
        "message": _left_out(len(data.problems) + len(test.problems)),
        "metrics": found,
    }


def _left_out(problems: int) -> str:
    return f"{problems} bad examples were left out" if problems else ""


def _validate(attempt: Attempt, state: Any) -> dict[str, float | None]:
    return _score(attempt, state, "validation", attempt.plan.dataset.validation)


def _score(attempt: Attempt, state: Any, name: str, split: Any) -> dict[str, float | None]:
    """Evaluate raw and averaged models on a split and tell it; return {"loss", "top1", ..., "top1_ema"}."""
    scored: dict[str, Scores] = attempt.runtime.evaluate(models(state), split)
    values = scored["raw"]
    values |= {f"{key}{AVERAGED}": value for key, value in scored.get("ema", {}).items() if key != "loss"}
    plan, steps = attempt.plan, attempt.steps
    attempt.journal.write(steps, steps / plan.steps_per_epoch, name, values)
    shown = "  ".join(f"{key} {value:.4f}" for key, value in values.items())
    attempt.reporter.line(f"step {steps}/{plan.total_steps}  {name}  {shown}")
    return {key: finite(value) for key, value in values.items()}
