"""Answer a network that was evaluated before from memory, and count both."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from search.space import Space

Metrics = Mapping[str, float]


class Cached:
    """A host-side evaluator that pays for each network once: `cached(points [n, L]) -> {name: [n]}`.

    `evaluate(points [m, L])` gives the metrics of each of `m` networks that are new, in canonical form.
    `evaluations` counts the points asked for, `unique` the networks paid for.
    """

    def __init__(self, space: Space, evaluate: Callable[[np.ndarray], list[Metrics]]):
        self._space, self._evaluate = space, evaluate
        self._known: dict[bytes, Metrics] = {}
        self.evaluations = 0

    @property
    def unique(self) -> int:
        return len(self._known)

    def __call__(self, points: np.ndarray) -> dict[str, np.ndarray]:
        """The metrics of valid points, each network evaluated when it is first asked for."""
        networks = [self._space.canonical(point) for point in points]
        new = {n.tobytes(): n for n in networks if n.tobytes() not in self._known}
        if new:
            found = self._evaluate(np.stack(list(new.values())))
            self._known.update(zip(new, found, strict=True))
        self.evaluations += len(networks)
        answers = [self._known[n.tobytes()] for n in networks]
        return {name: np.array([answer[name] for answer in answers]) for name in answers[0]}
