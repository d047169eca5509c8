"""One epoch by our trainer, as a command runs it: data, augmentation, checkpoint, evaluation, row."""

from __future__ import annotations

import tempfile
import time

from experiments.benchmarks.prepared import BEGAN, Prepared
from experiments.benchmarks.tasks import Epoch, Job
from scaling.runs.rows import OK
from scaling.runs.spec import AugmentSpec, DataSpec, ModelSpec, OptimizerSpec, RunSpec, TrainSpec
from scaling.training import run


def epoch(job: Job, task: Epoch) -> Prepared:
    """Hold what trains when told to; nothing is read or compiled before."""
    del job
    facts: dict[str, float] = {}

    def call() -> float:
        with tempfile.TemporaryDirectory() as workdir:
            row = run(spec(task), workdir)
        if row.status != OK:
            raise RuntimeError(f"the run ended as {row.status}: {row.message}")
        facts["compile_seconds"] = row.compile_seconds or 0.0
        return time.perf_counter() - BEGAN

    return Prepared(call, lambda: facts)


def spec(task: Epoch) -> RunSpec:
    """The run: one epoch, the held-out images scored once."""
    return RunSpec(
        model=ModelSpec(name=task.model, dtype=task.dtype),
        data=DataSpec(source="npz", dir=task.dir, validation="test", test=""),
        augment=AugmentSpec(crop="pad", flip=True),
        optimizer=OptimizerSpec(lr=0.1, lr_batch=128, weight_decay=1e-4, decay_mask="all"),
        train=TrainSpec(batch=task.batch, duration="1 epochs"),
    ).pinned()
