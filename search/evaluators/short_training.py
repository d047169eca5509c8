"""Train points from scratch for a few steps and score them: all by one program, or each by its own.

One program is compiled once but does some work in vain at every step; which is less work is measured.
"""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from scaling.arch.arch import Arch
from scaling.cost.counting import count
from scaling.runs.failures import is_out_of_memory
from scaling.runs.rows import FAILED, NAN, OK, OOM
from scaling.runs.spec import RunSpec
from scaling.training.plan import Plan, make_plan
from scaling.training.runtime import Runtime
from scaling.training.state import TrainState, models
from search.core.evaluation import Evaluation
from search.core.space import Space
from search.evaluators.supernet import Choice, any_arch, arch_of, choice_of, run_of, supernet_plan

TIMED_CALLS = 5  # steps that are timed, after one that compiles
AUTO = "auto"


@dataclass(frozen=True)
class BreakEven:
    """Seconds to compile and a step, of the universal and of a specialised program."""

    universal_compile: float
    universal_step: float
    specialised_compile: float
    specialised_step: float

    def seconds(self, universal: bool, steps: int, candidates: int) -> float:
        """Seconds per candidate trained for `steps` steps, where `candidates` are trained."""
        if universal:
            return self.universal_compile / candidates + steps * self.universal_step
        return self.specialised_compile + steps * self.specialised_step

    def choose(self, steps: int, candidates: int) -> bool:
        """Whether the universal program is quicker."""
        return self.seconds(True, steps, candidates) <= self.seconds(False, steps, candidates)


class ShortTraining:
    """Trains each point as `spec` says, without a directory: "val_top1", "val_loss", params and macs.

    Candidates are compiled one by one, or share the supernet's program (`universal`). Both ways see equal
    batches. On NAS-Bench-201 they start from equal weights too and differ by rounding only; a NASNet cell's
    edges have other places in the supernet, so other first weights and draws of drop-path. `universal` is
    True, False, or "auto": measured on the first point asked for, for `candidates` of them; False where the
    space has no supernet.
    """

    stateful = False

    def __init__(self, space: Space, spec: RunSpec, universal: bool | str = AUTO, candidates: int = 100):
        if universal not in (True, False, AUTO) or candidates < 1:
            raise ValueError(
                f"universal={universal!r} must be True, False or 'auto', candidates={candidates} at least 1."
            )
        self._space, self._spec, self._candidates = space, spec, candidates
        self.universal: bool | str = universal
        self.measured: BreakEven | None = None
        self._shared: tuple[Runtime, TrainState] | None = None
        self._plan = self._first_plan()

    def __call__(self, points: Sequence[np.ndarray], rungs: Sequence[int] = ()) -> Iterator[Evaluation]:
        """Yield the evaluation of each point; one that fails says so."""
        for point in points:
            start = time.perf_counter()
            try:
                if self.universal == AUTO:
                    self.measured = self.measure(point)
                    self.universal = self.measured.choose(self._plan.total_steps, self._candidates)
                metrics, finite = self._metrics(point)
                found: dict[str, Any] = {"metrics": metrics, "status": OK if finite else NAN}
            except (jax.errors.JaxRuntimeError, MemoryError, ValueError) as error:
                found = {"status": OOM if is_out_of_memory(error) else FAILED, "message": str(error)}
            cost = time.perf_counter() - start
            yield Evaluation(**found, fidelity=self.fidelity, seed=self._spec.seed, cost=cost)

    @property
    def fidelity(self) -> str:
        """How points are measured."""
        plan = self._plan
        return f"{plan.total_steps} steps of {plan.dataset.name} at {plan.arch.resolution} px"

    def save(self, seen: int) -> None:
        """Nothing is kept: an evaluation depends on nothing that was asked before."""

    def restore(self, seen: int) -> None:
        """Nothing was kept."""

    def measure(self, point: np.ndarray) -> BreakEven:
        """Measure both ways on one point: a few steps each, compiling apart."""
        shared, own = (time_steps(*self._prepared(universal, point)) for universal in (True, False))
        return BreakEven(*shared, *own)

    def _metrics(self, point: np.ndarray) -> tuple[dict[str, float], bool]:
        runtime, first, choice = self._prepared(bool(self.universal), point)
        ((state, metrics),) = deque(steps_of(runtime, first, choice), maxlen=1)
        finite = bool(np.all(runtime.engine.unreplicate(metrics["finite"])))
        scored = runtime.evaluate(models(state), self._plan.dataset.validation)["raw"]
        cost = count(self._arch(point))
        found = {f"val_{name}": value for name, value in scored.items()}
        found |= {"params": cost.params, "macs": cost.macs}
        return found, finite and bool(np.isfinite(scored["loss"]))

    def _prepared(self, universal: bool, point: np.ndarray) -> tuple[Runtime, TrainState, Choice | None]:
        """The runtime of all points, or a fresh one of this point on the same data; first state; choice."""
        if not universal:
            runtime = Runtime(make_plan(run_of(self._space.decode(point), self._spec), self._plan.dataset))
            return runtime, runtime.first_state(), None
        if self._shared is None:
            runtime = Runtime(self._plan)
            self._shared = runtime, runtime.first_state()
        return *self._shared, choice_of(self._space, point)

    def _first_plan(self) -> Plan:
        """The plan of the supernet where there is one, else of the first point."""
        if self.universal is not False:
            try:
                return supernet_plan(self._space, self._spec)
            except ValueError:
                if self.universal is True:
                    raise
                self.universal = False
        return make_plan(run_of(any_arch(self._space), self._spec))

    def _arch(self, point: np.ndarray) -> Arch:
        return arch_of(self._space.decode(point), self._spec, self._plan.dataset)


def steps_of(runtime: Runtime, first: TrainState, choice: Choice | None) -> Iterator[tuple[TrainState, Any]]:
    """Train from a host state of step 0, as `choice` where the network is a supernet; yield after every call.

    What is yielded is the devices' state, which the next call takes over, and its metrics.
    """
    state = runtime.to_devices(first)
    state = state if choice is None else runtime.with_choice(state, choice)
    with contextlib.closing(runtime.batches(0)) as batches:
        for call, batch in zip(runtime.plan.calls(0), batches):
            state, metrics = runtime.program(runtime.plan.phase(call.start))(state, batch, runtime.resident)
            yield state, metrics


def time_steps(runtime: Runtime, first: TrainState, choice: Choice | None) -> tuple[float, float]:
    """Return the seconds that compiling takes, evaluation included, and those of one step: the least seen."""
    seconds: list[float] = []
    for i, (state, metrics) in enumerate(steps_of(runtime, first, choice)):
        jax.block_until_ready(metrics)
        seconds.append(time.perf_counter())
        if i == TIMED_CALLS or (i + 1) * runtime.plan.steps_per_call >= runtime.plan.total_steps:
            runtime.evaluate(models(state), runtime.plan.dataset.validation)
            break
    least = min(np.diff(seconds), default=0.0) / runtime.plan.steps_per_call
    return runtime.compile_seconds, float(least)
