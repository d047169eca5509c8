"""What one evaluation of a point gives, and what every evaluator that runs on the host is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from scaling.runs.rows import OK, STATUSES


@dataclass(frozen=True)
class Evaluation:
    """The metrics of one point, and what they stand on.

    `fidelity` says how it was measured ("300 steps of fashion_mnist at 16 px"), `cost` how long that
    took, in seconds of one device. With a status other than "ok" there may be no metrics, and `message`
    says why; the search goes on.
    """

    metrics: Mapping[str, float] = field(default_factory=dict)
    status: str = OK
    fidelity: str = ""
    seed: int = 0
    cost: float = 0.0
    message: str = ""

    def __post_init__(self):
        if self.status not in STATUSES:
            raise ValueError(f"status={self.status!r} of an evaluation must be one of {STATUSES}.")


class Evaluator(Protocol):
    """Evaluates points one after another, and never raises for one that cannot be.

    It gets the whole batch, so that it can prepare the next point while it is at this one, or evaluate
    several at once. Each point has its rung: how thoroughly it is measured, 0 the cheapest; an evaluator of
    one fidelity need not look. Where its answers depend on what it was asked before (weights shared by all
    points), `stateful` is true: nothing is then answered from a cache, and `save(seen)` and `restore(seen)`
    keep and bring back its state after so many evaluations.
    """

    stateful: bool

    def __call__(self, points: Sequence[np.ndarray], rungs: Sequence[int]) -> Iterator[Evaluation]:
        """Yield the evaluation of each valid point [L] at its rung, in order."""
        ...

    def save(self, seen: int) -> None:
        """Keep the state after `seen` evaluations."""
        ...

    def restore(self, seen: int) -> None:
        """Bring back the state after `seen` evaluations; ValueError where it was not kept."""
        ...
