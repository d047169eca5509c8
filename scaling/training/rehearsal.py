"""A run in small: a few calls of its own programs on its own data, to learn what the whole will take."""

from __future__ import annotations

import contextlib
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax

from scaling.data.splits import Split
from scaling.runs.spec import RunSpec
from scaling.training import checkpoints, environment
from scaling.training.plan import Plan, make_plan
from scaling.training.runtime import Runtime
from scaling.training.state import models

CALLS = 3  # of each program that are timed, after one that is not
ENOUGH = 10.0  # seconds of calls after which no further one is made


@dataclass(frozen=True)
class Rehearsal:
    """What was seen: seconds, and bytes of memory.

    `starting` is all before the first program and one save; `compiling_step` and `compiling_evaluation` are
    of one program each; `step` is of one training step, `validation` and `test` of a pass over the split
    (0 where there is none). `memory` is the most that was in use, `before` what was with everything but the
    programs.
    """

    starting: float
    compiling_step: float
    compiling_evaluation: float
    step: float
    validation: float
    test: float
    memory: int
    before: int


def rehearse(spec: RunSpec) -> Rehearsal:
    """Begin a run in this process, keep nothing, and return what was seen; its costliest phase is trained."""
    begun = time.perf_counter()
    plan = make_plan(spec)
    runtime = Runtime(plan)
    state = runtime.to_devices(runtime.first_state())
    before, starting = environment.peak_memory(plan.devices), time.perf_counter() - begun
    state, step = _train(runtime, state)
    compiling_step = runtime.compile_seconds
    scored = models(state)
    validation = _pass(runtime, scored, plan.dataset.validation)
    test = _pass(runtime, scored, plan.dataset.test()) if plan.dataset.test else 0.0
    return Rehearsal(
        starting + _save(runtime, state),
        compiling_step,
        runtime.compile_seconds - compiling_step,
        step,
        validation,
        test,
        environment.peak_memory(plan.devices),
        before,
    )


def _save(runtime: Runtime, state: Any) -> float:
    """The seconds of the first checkpoint, which readies its writer too."""
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as kept:
        checkpoints.save(Path(kept), 0, runtime.to_host(state), {}, keep=1)
    return time.perf_counter() - begun


def costliest(plan: Plan) -> int:
    """The first step of the phase whose steps take most."""
    return max(plan.phases, key=lambda phase: phase.macs).start


def _train(runtime: Runtime, state: Any) -> tuple[Any, float]:
    """Return the state after a few calls of the costliest phase, and the seconds of a step."""
    start = costliest(runtime.plan)
    call = next(runtime.plan.calls(start))
    program = runtime.program(runtime.plan.phase(start))
    with contextlib.closing(runtime.batches(start)) as batches:
        batch = next(batches)
        program.prepare(state, batch, runtime.resident)

        def train() -> None:
            nonlocal state, batch
            state, _ = jax.block_until_ready(program(state, batch, runtime.resident))
            batch = next(batches, batch)  # a call waits for its data where that takes longer than computing

        seconds = _seconds(train)
    return state, seconds / call.steps


def _pass(runtime: Runtime, scored: dict[str, Any], split: Split) -> float:
    """The seconds of a pass over a split, by its first batch."""
    scorer = runtime.evaluate
    scorer.prepare(scored, split)
    return _seconds(lambda: scorer.first(scored, split)) * -(-len(split) // scorer.batch)


def _seconds(call: Callable[[], Any]) -> float:
    """The median seconds of a few calls, of which the first is not counted unless it alone takes long."""
    times: list[float] = []
    while len(times) <= CALLS and sum(times) < ENOUGH:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:] or times)
