"""Exact evaluation: every example once, whatever the batch size and the number of devices."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import jax

from scaling.data.loader import eval_batches
from scaling.data.splits import Split
from scaling.models.network import Applied
from scaling.training.parallel import Engine, Program
from scaling.training.step import build_eval_step

SUMS = ("count", "top1", "top5", "loss")


@dataclass(frozen=True)
class Scores:
    """Means over a split: accuracies as fractions, `loss` (cross-entropy) in nats."""

    top1: float
    top5: float
    loss: float
    count: int


class Scorer:
    """Scores models, {name: replicated variables}, on splits; `batch` is rounded up to the devices.

    `by_batch` as in `build_eval_step`.
    """

    def __init__(
        self,
        engine: Engine,
        network: Applied,
        transform: Callable[[Any], Any],
        batch: int,
        by_batch: bool = False,
    ):
        devices = engine.mesh.size
        self._engine, self._batch = engine, -(-batch // devices) * devices
        self.program = Program(engine, build_eval_step(network, transform, by_batch), cut={1: 0})

    def __call__(self, models: dict[str, Any], split: Split) -> dict[str, Scores]:
        """Return each model's scores, in one pass over the data."""
        totals: dict[str, dict[str, Any]] = {name: dict.fromkeys(SUMS, 0) for name in models}
        for batch in self._batches(split):
            sums = self._engine.unreplicate(self.program(models, self._engine.shard(batch)))
            for name, total in totals.items():
                for key in total:
                    # Python's own numbers: exact counts, and losses added in double precision.
                    total[key] += sums[name][key].item()
        return {name: _means(total) for name, total in totals.items()}

    def prepare(self, models: dict[str, Any], split: Split) -> None:
        """Compile for the first batch of a split, before it is scored."""
        self.program.prepare(models, self._engine.shard(next(iter(self._batches(split)))))

    def _batches(self, split: Split) -> Iterable[Any]:
        return eval_batches(split, self._batch, jax.process_index(), jax.process_count())


def _means(total: dict[str, Any]) -> Scores:
    count = total["count"]
    return Scores(total["top1"] / count, total["top5"] / count, total["loss"] / count, count)
