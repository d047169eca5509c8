"""Exact evaluation: every example once, whatever the batch size and the number of devices."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import jax
import numpy as np

from scaling.arch.arch import Sized
from scaling.data.loader import eval_batches
from scaling.data.splits import Split
from scaling.models.network import Applied
from scaling.runs.spec import TrainSpec
from scaling.tasks.task import Fields, Task
from scaling.training.parallel import Engine, Program
from scaling.training.step import build_eval_step

Scores = dict[str, float]  # a task's metrics over a split, "loss" among them


class Scorer:
    """Scores models, {name: replicated variables}, on splits; `batch` is rounded up to the devices.

    `by_batch`, `spec` and `arch` as in `build_eval_step`.
    """

    def __init__(
        self,
        task: Task,
        engine: Engine,
        network: Applied,
        inputs: Callable[[Fields], Fields],
        batch: int,
        by_batch: bool = False,
        spec: TrainSpec | None = None,
        arch: Sized | None = None,
    ):
        devices = engine.mesh.size
        self._task, self._engine, self.batch = task, engine, -(-batch // devices) * devices
        step = build_eval_step(task, network, inputs, by_batch, spec, arch)
        self.program = Program(engine, step, cut={1: 0})

    def __call__(self, models: dict[str, Any], split: Split) -> dict[str, Scores]:
        """Return each model's scores, in one pass over the data."""
        totals: dict[str, dict[str, Any]] = {name: {} for name in models}
        gathered: dict[str, dict[str, list[Any]]] = {name: {} for name in models}
        for batch in self._batches(split):
            found = self._scored(models, batch)
            for name, total in totals.items():
                sums, arrays = found[name]
                for key, value in sums.items():
                    total[key] = total.get(key, 0) + _exact(value)
                for key, value in arrays.items():
                    gathered[name].setdefault(key, []).append(value)
        return {name: self._task.means(total | _joined(gathered[name])) for name, total in totals.items()}

    def first(self, models: dict[str, Any], split: Split) -> dict[str, Any]:
        """Score the first batch of a split alone: sums and arrays by model, no metrics yet."""
        return self._scored(models, next(iter(self._batches(split))))

    def prepare(self, models: dict[str, Any], split: Split) -> None:
        """Compile for the first batch of a split, before it is scored."""
        self.program.prepare(models, self._engine.shard(next(iter(self._batches(split)))))

    def _scored(self, models: dict[str, Any], batch: Fields) -> dict[str, Any]:
        return self._engine.unreplicate(self.program(models, self._engine.shard(batch)))

    def _batches(self, split: Split) -> Iterable[Any]:
        return eval_batches(split, self.batch, jax.process_index(), jax.process_count())


def _joined(parts: dict[str, list[np.ndarray]]) -> dict[str, np.ndarray]:
    """What was gathered of all batches, without the examples that only fill them up."""
    whole = {name: np.concatenate(arrays) for name, arrays in parts.items()}
    real = whole.pop("real", np.ones(0)) == 1
    return {name: array[real] for name, array in whole.items()}


def _exact(value: np.ndarray) -> np.ndarray:
    """Counts that do not overflow, and losses that are added in double precision."""
    return value.astype(np.int64 if np.issubdtype(value.dtype, np.integer) else np.float64)
