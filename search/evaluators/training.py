"""Evaluate networks by training them: each a run of its own, a small stated proxy of the real thing."""

from __future__ import annotations

import dataclasses
import shutil
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

import jax
import numpy as np

from scaling.cost.measuring import measure
from scaling.runs.failures import is_out_of_memory
from scaling.runs.rows import Row
from scaling.runs.spec import RunSpec
from scaling.runs.workdir import CHECKPOINTS
from scaling.training.loop import run
from scaling.training.plan import make_plan, read_data
from scaling.training.progress import Silent
from scaling.training.runtime import Runtime
from search.core.evaluation import Evaluation
from search.core.space import Space
from search.evaluators.supernet import run_of

METRICS = (
    "val_top1", "val_top5", "val_loss", "val_top1_ema", "train_loss", "params", "macs", "activations",
    "train_flops", "step_ms", "compile_seconds", "seconds",
)  # fmt: skip


class Training:
    """Trains the network of each point as `proxy` says, in `workdir/<run id>`, and reports its row's numbers.

    The network takes the place of `proxy.model.arch`; the proxy's `base_width`, `base_depth` and
    `base_resolution` make all of them small alike. `durations` are those of the rungs of successive
    halving. With `latency_batch`, "latency_ms" is the measured time of a
    forward pass of so many images. While one network trains, the next is compiled.

    The test split is not read. A run that is killed goes on from its checkpoint, which is deleted once
    the run has its row. ValueError, at once, where the data cannot be read or the proxy is no valid run.
    """

    stateful = False

    def __init__(
        self,
        space: Space,
        proxy: RunSpec,
        workdir: Path,
        durations: Sequence[str] = (),
        latency_batch: int = 0,
    ):
        self._space, self._durations, self._latency = space, tuple(durations), latency_batch
        self._proxy = dataclasses.replace(proxy, data=dataclasses.replace(proxy.data, test=""))
        self._workdir = workdir
        self._dataset = read_data(self.spec(np.asarray(space.sample(jax.random.key(0)), np.int32), 0))

    def spec(self, point: np.ndarray, rung: int) -> RunSpec:
        """The run of a point at a rung."""
        spec = run_of(self._space.decode(point), self._proxy)
        if not self._durations:
            return spec
        duration = self._durations[rung]
        return dataclasses.replace(spec, train=dataclasses.replace(spec.train, duration=duration))

    def __call__(self, points: Sequence[np.ndarray], rungs: Sequence[int]) -> Iterator[Evaluation]:
        """Train the networks of valid points [L], one after another."""
        todo = list(zip(points, rungs))
        with ThreadPoolExecutor(1) as background:
            ahead = background.submit(self._prepare, *todo[0])
            for following in [*todo[1:], None]:
                ready = ahead
                wait([ready])
                if following is not None:
                    ahead = background.submit(self._prepare, *following)
                yield self._evaluate(ready)

    def save(self, seen: int) -> None:
        """Keep nothing: what a network scores does not depend on those before it."""

    def restore(self, seen: int) -> None:
        """Bring back nothing."""

    def _prepare(self, point: np.ndarray, rung: int) -> tuple[Runtime, float]:
        """The network's compiled runtime, and the seconds that it took."""
        started = time.monotonic()
        runtime = Runtime(make_plan(self.spec(point, rung), self._dataset))
        runtime.compile()
        return runtime, time.monotonic() - started

    def _evaluate(self, ready: Future[tuple[Runtime, float]]) -> Evaluation:
        started = time.monotonic()
        try:
            runtime, preparing = ready.result()
            directory = self._workdir / runtime.plan.spec.id
            row = run(runtime.plan.spec, directory, Silent(), runtime)
            shutil.rmtree(directory / CHECKPOINTS, ignore_errors=True)
            return self._report(row, runtime, preparing)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one network, the search goes on
            status = "oom" if is_out_of_memory(error) else "failed"
            message = f"{type(error).__name__}: {error}"
            return Evaluation(
                {}, status, seed=self._proxy.seed, cost=time.monotonic() - started, message=message
            )

    def _report(self, row: Row, runtime: Runtime, preparing: float) -> Evaluation:
        found = {name: getattr(row, name) for name in METRICS}
        metrics = {name: float(value) for name, value in found.items() if value is not None}
        if self._latency:
            metrics["latency_ms"] = measure(runtime.plan.arch, self._latency, "inference").step_ms
        spec = runtime.plan.spec
        fidelity = f"{spec.train.duration} of {row.dataset} at {row.resolution} px, batch {spec.train.batch}"
        cost = (preparing + (row.seconds or 0.0)) * row.device_count
        return Evaluation(metrics, row.status, fidelity, spec.seed, cost, row.message)
