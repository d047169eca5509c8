"""Answer a network that was evaluated before from memory, and count both."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Sequence

import numpy as np

from search.core.evaluation import Evaluation, Evaluator
from search.core.space import Space


class Cached:
    """An evaluator that pays for each network once, and yields (evaluation, whether it was known).

    Networks are handed on in canonical form; each rung is an evaluation of its own. What is known at first is
    told by `learn`. A stateful evaluator is asked every time.
    """

    def __init__(self, space: Space, evaluator: Evaluator):
        self._space, self._evaluator = space, evaluator
        self._known: dict[tuple[bytes, int], Evaluation] = {}

    @property
    def unique(self) -> int:
        """How many evaluations were paid for."""
        return len(self._known)

    def learn(self, point: np.ndarray, rung: int, evaluation: Evaluation) -> None:
        """Take over the evaluation of a network at a rung."""
        self._known.setdefault((self._space.canonical(point).tobytes(), rung), evaluation)

    def __call__(
        self, points: Sequence[np.ndarray], rungs: Sequence[int]
    ) -> Generator[tuple[Evaluation, bool], None, None]:
        """Evaluate valid points [L] at their rungs, in order."""
        if self._evaluator.stateful:
            yield from ((evaluation, False) for evaluation in self._evaluator(points, rungs))
            return
        networks = [self._space.canonical(point) for point in points]
        keys = [(network.tobytes(), rung) for network, rung in zip(networks, rungs)]
        new = {key: network for key, network in zip(keys, networks) if key not in self._known}
        answers = self._evaluator(list(new.values()), [rung for _, rung in new]) if new else iter(())
        for key in keys:
            if known := self._known.get(key):
                yield dataclasses.replace(known, cost=0.0), True
            else:
                self._known[key] = next(answers)
                yield self._known[key], False
