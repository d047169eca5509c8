"""Exact evaluation: every example once, whatever the batch size and the number of devices."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import jax
import numpy as np

from scaling.data.loader import eval_batches
from scaling.data.splits import Split
from scaling.models.network import Applied
from scaling.tasks.task import Fields, Task
from scaling.training.parallel import Engine, Program
from scaling.training.step import build_eval_step

Scores = dict[str, float]  # a task's metrics over a split, "loss" among them


class Scorer:
    """Scores models, {name: replicated variables}, on splits; `batch` is rounded up to the devices.

    `by_batch` as in `build_eval_step`.
    """

    def __init__(
        self,
        task: Task,
        engine: Engine,
        network: Applied,
        inputs: Callable[[Fields], Fields],
        batch: int,
        by_batch: bool = False,
    ):
        devices = engine.mesh.size
        self._task, self._engine, self._batch = task, engine, -(-batch // devices) * devices
        self.program = Program(engine, build_eval_step(task, network, inputs, by_batch), cut={1: 0})

    def __call__(self, models: dict[str, Any], split: Split) -> dict[str, Scores]:
        """Return each model's scores, in one pass over the data."""
        totals: dict[str, dict[str, Any]] = {name: {} for name in models}
        for batch in self._batches(split):
            sums = self._engine.unreplicate(self.program(models, self._engine.shard(batch)))
            for name, total in totals.items():
                for key, value in sums[name].items():
                    total[key] = total.get(key, 0) + _exact(value)
        return {name: self._task.means(total) for name, total in totals.items()}

    def prepare(self, models: dict[str, Any], split: Split) -> None:
        """Compile for the first batch of a split, before it is scored."""
        self.program.prepare(models, self._engine.shard(next(iter(self._batches(split)))))

    def _batches(self, split: Split) -> Iterable[Any]:
        return eval_batches(split, self._batch, jax.process_index(), jax.process_count())


def _exact(value: np.ndarray) -> np.ndarray:
    """Counts that do not overflow, and losses that are added in double precision."""
    return value.astype(np.int64 if np.issubdtype(value.dtype, np.integer) else np.float64)
