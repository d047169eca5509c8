"""Evaluate networks by training them: each a run of its own, a small stated proxy of the real thing."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import jax
import numpy as np

from scaling.cost.measuring import measure
from scaling.runs.failures import is_out_of_memory
from scaling.runs.resolve import resolve
from scaling.runs.rows import FAILED, OK, OOM, Row
from scaling.runs.spec import RunSpec
from scaling.runs.workdir import CHECKPOINTS
from scaling.sweeps.expand import Trial
from scaling.sweeps.in_process import Read, in_process
from scaling.sweeps.run import Finished, Pool
from scaling.training.plan import read_data
from search.core.evaluation import Evaluation
from search.core.space import Space
from search.evaluators.supernet import any_arch, run_of

# Of a row, beside the metrics of its task
METRICS = (
    "train_loss",
    "params",
    "macs",
    "activations",
    "train_flops",
    "step_ms",
    "compile_seconds",
    "seconds",
)

PoolOf = Callable[[Path, Read], Pool]  # what runs the trials of a directory, and may read their data so


class Training:
    """Trains the network of each point as `proxy` says, in `workdir/<run id>`, and reports its row's numbers.

    The network takes the place of `proxy.model.arch`; the proxy's `base_width`, `base_depth` and
    `base_resolution` make all of them small alike. `durations` are those of the rungs of successive halving.
    With `latency_batch`, "latency_ms" is the measured time of a forward pass of so many images.

    A candidate is a trial of a sweep, and a batch of points is that many trials at once, as far as the pool
    of `pool_of(workdir, read)` has room; their evaluations come in the order asked. `read` gives the data,
    read before. The test split is not read. A run that is killed goes on from its checkpoint, which is
    deleted once the run has its row. ValueError, at once, where the data cannot be read or the proxy is no
    valid run.
    """

    stateful = False

    def __init__(
        self,
        space: Space,
        proxy: RunSpec,
        workdir: Path,
        durations: Sequence[str] = (),
        latency_batch: int = 0,
        pool_of: PoolOf = in_process,
    ):
        self._space, self._durations, self._latency = space, tuple(durations), latency_batch
        self._proxy = dataclasses.replace(proxy, data=dataclasses.replace(proxy.data, test=""))
        dataset = read_data(run_of(any_arch(space), self._proxy))
        self._sizes = dataset.num_classes, dataset.in_channels
        self._pool = pool_of(workdir, lambda spec: dataset)

    def trial(self, point: np.ndarray, rung: int) -> Trial:
        """The run of a point at a rung."""
        spec = run_of(self._space.decode(point), self._proxy)
        if self._durations:
            train = dataclasses.replace(spec.train, duration=self._durations[rung])
            spec = dataclasses.replace(spec, train=train)
        return Trial({"point": self._space.to_string(point), "rung": rung}, spec)

    def __call__(self, points: Sequence[np.ndarray], rungs: Sequence[int]) -> Iterator[Evaluation]:
        """Train the networks of valid points [L], all of them at once as far as the pool has room."""
        finished: dict[str, Finished] = {}
        try:
            submitted = [self._submit(point, rung) for point, rung in zip(points, rungs)]
            for trial in submitted:
                if isinstance(trial, Evaluation):
                    yield trial
                    continue
                while trial.spec.id not in finished:
                    finished |= {found.trial.spec.id: found for found in self._pool.poll()}
                yield self._evaluation(finished[trial.spec.id])
        except BaseException:
            self._pool.cancel()
            raise

    def save(self, seen: int) -> None:
        """Keep nothing: what a network scores does not depend on those before it."""

    def restore(self, seen: int) -> None:
        """Bring back nothing."""

    def _submit(self, point: np.ndarray, rung: int) -> Trial | Evaluation:
        """Queue a point's trial; the evaluation of one that makes no run."""
        try:
            trial = self.trial(point, rung)
        except (ValueError, KeyError, TypeError) as error:
            message = f"{type(error).__name__}: {error}"
            return Evaluation({}, FAILED, seed=self._proxy.seed, message=message)
        self._pool.submit(trial)
        return trial

    def _evaluation(self, finished: Finished) -> Evaluation:
        """What a trial's row says of its network."""
        trial, row, seconds = finished
        shutil.rmtree(self._pool.directory(trial) / CHECKPOINTS, ignore_errors=True)
        train = trial.spec.train
        fidelity = f"{train.duration} of {row.dataset} at {row.resolution} px, batch {train.batch}"
        cost = max(seconds, row.seconds or 0.0) * max(1, row.device_count)
        found = Evaluation(metrics(row), row.status, fidelity, row.seed, cost, row.message)
        return self._timed(found, trial.spec) if self._latency and row.status == OK else found

    def _timed(self, found: Evaluation, spec: RunSpec) -> Evaluation:
        """The evaluation with the latency of its network, or with what stood in the way of measuring it."""
        arch, _ = resolve(spec.model, *self._sizes)
        try:
            latency = measure(arch, self._latency, "inference").step_ms
        except (jax.errors.JaxRuntimeError, MemoryError) as error:
            status = OOM if is_out_of_memory(error) else FAILED
            return dataclasses.replace(found, status=status, message=f"latency: {error}")
        return dataclasses.replace(found, metrics={**found.metrics, "latency_ms": latency})


def metrics(row: Row) -> dict[str, float]:
    """The numbers of a row; none where the run died before it had counted its network."""
    found = row.metrics | {name: getattr(row, name) for name in METRICS} if row.macs else {}
    return {name: float(value) for name, value in found.items() if value is not None}
