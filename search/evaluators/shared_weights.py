"""Evaluate points with weights that all of them share and that train as the search goes on (ENAS).

Source: arXiv 1802.03268; as in its code, accuracy is that of batch norm's own statistics of a minibatch.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scaling.runs.rows import FAILED, NAN, OK
from scaling.runs.spec import RunSpec
from scaling.training import checkpoints
from scaling.training.evaluate import Scorer
from scaling.training.runtime import Runtime
from scaling.training.state import TrainState, models
from search.core.evaluation import Evaluation
from search.core.space import Space
from search.evaluators.supernet import choice_of, supernet_plan

KEPT = 3  # states: the search may have noted fewer evaluations than were saved last
VALIDATION_STREAM = 0x5EED  # keeps the draws of minibatches apart from others of the seed


class SharedWeights:
    """Trains the supernet of a space on the points that it is asked for, and scores them with it.

    For each batch of n points, n * `steps` minibatches train the shared weights, each with the cell of the
    next point in turn; then each point is scored on a validation minibatch of `validation` images, its own
    draw. `evaluations` points make up the run of `spec` (data, augmentation, optimizer, schedule,
    train.batch), whose duration is evaluations * steps. States go to `directory`. ValueError where the
    space has no supernet (`Space.universal`).
    """

    stateful = True

    def __init__(
        self,
        space: Space,
        spec: RunSpec,
        directory: Path,
        evaluations: int,
        steps: int = 10,
        validation: int = 256,
    ):
        if evaluations < 1 or steps < 1:
            raise ValueError(f"evaluations={evaluations} and steps={steps} must both be at least 1.")
        train = dataclasses.replace(spec.train, duration=f"{evaluations * steps} steps", steps_per_call=1)
        self._space, self._directory, self._steps = space, Path(directory), steps
        self._plan = supernet_plan(space, dataclasses.replace(spec, train=train))
        self._rig = Runtime(self._plan)
        self._score = self._scorer(validation)
        self._state: TrainState = self._rig.to_devices(self._rig.first_state())
        self._step = self._seen = 0

    def __call__(self, points: Sequence[np.ndarray], rungs: Sequence[int] = ()) -> Iterator[Evaluation]:
        """Train with the points, then yield their accuracies: "val_top1", a fraction, and "val_loss" in nats.

        Status "nan" where training is no longer finite, "failed" beyond the number of evaluations.
        """
        choices, start = [choice_of(self._space, point) for point in points], time.perf_counter()
        if self._seen + len(points) > self._plan.total_steps // self._steps:
            message = f"the weights train for {self._plan.total_steps // self._steps} evaluations: say more."
            yield from (Evaluation(status=FAILED, message=message) for _ in points)
            return
        finite = self._train(choices)
        shared = (time.perf_counter() - start) / max(1, len(points))
        for choice in choices:
            start = time.perf_counter()
            metrics = self._accuracy(choice)
            bad = not finite or not np.isfinite(metrics["val_loss"])
            cost = shared + time.perf_counter() - start
            status = NAN if bad else OK
            yield Evaluation(metrics, status, self.fidelity, self._plan.spec.seed, cost)

    @property
    def fidelity(self) -> str:
        """How what comes next is measured."""
        return f"shared weights after {self._step} steps of {self._plan.dataset.name}"

    def save(self, seen: int) -> None:
        """Keep the state after `seen` evaluations; between batches of points only."""
        meta = {"step": self._step, "seen": self._seen}
        checkpoints.save(self._directory, seen, self._rig.to_host(self._state), meta, KEPT)

    def restore(self, seen: int) -> None:
        """Bring back the state after `seen` evaluations; ValueError where it was not kept, or is damaged."""
        like = self._rig.first_state()
        found = None
        if seen in checkpoints.saved_steps(self._directory):
            found = checkpoints.restore(self._directory, like, newest=seen)
        if seen and (found is None or found[1]["seen"] != seen):
            there = checkpoints.saved_steps(self._directory)
            raise ValueError(
                f"{self._directory} holds no intact state after {seen} evaluations, only after {there}: go on "
                "from one of these, or begin again in another directory."
            )
        state, meta = found or (like, {"step": 0, "seen": 0})
        self._state, self._step, self._seen = self._rig.to_devices(state), meta["step"], meta["seen"]

    def _train(self, choices: Sequence[Any]) -> bool:
        """Train with each choice in turn; return whether all was finite."""
        runtime, first, stop = self._rig, self._step, self._step + len(choices) * self._steps
        finite = True
        with contextlib.closing(runtime.batches(first)) as batches:
            for call in self._plan.calls(first):
                if call.start == stop:
                    break
                state = runtime.with_choice(self._state, choices[(call.start - first) % len(choices)])
                self._state, metrics = runtime.program(runtime.plan.phase(call.start))(
                    state, next(batches), runtime.resident
                )
                finite = metrics["finite"] if finite is True else finite * metrics["finite"]
        self._step = stop
        return bool(np.all(runtime.engine.unreplicate(finite)))

    def _accuracy(self, choice: Any) -> dict[str, float]:
        """Score the weights as one choice on the next minibatch of validation images."""
        split: Any = self._plan.dataset.validation
        rng = np.random.default_rng([self._plan.spec.seed, VALIDATION_STREAM, self._seen])
        self._seen += 1
        rows = np.sort(rng.choice(len(split), self._validation, replace=False))
        raw = {"raw": models(self._rig.with_choice(self._state, choice))["raw"]}
        scored = self._score(raw, split.take(rows))["raw"]
        return {f"val_{name}": value for name, value in scored.items()}

    def _scorer(self, validation: int) -> Scorer:
        """Return what scores minibatches, by batch statistics and dropping nothing."""
        devices = self._rig.engine.mesh.size
        self._validation = min(validation, len(self._plan.dataset.validation)) // devices * devices
        if self._validation < 1:
            raise ValueError(f"validation={validation} images are too few: give at least one a device.")
        arch = self._plan.arch.replace(drop_rate=0.0, drop_path_rate=0.0)
        return self._rig.scorer(arch, self._validation, by_batch=True)
