"""Time contenders in turn, A B C A B C, so that whatever disturbs the machine disturbs all alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from experiments.benchmarks.contenders import Absent, Contender, Failed

PAUSE = 0.05  # seconds between contenders: threads that spin for more work go to sleep
BUDGET, ENOUGH = 60.0, 3  # seconds of counted rounds, after which this many rounds do


@dataclass(frozen=True)
class Outcome:
    """The seconds of one contender's counted rounds and its facts; or its problem.

    `status` is ok, skipped (a peer that is absent) or failed.
    """

    status: str
    seconds: tuple[float, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    problem: str = ""


@dataclass(frozen=True)
class Spread:
    """Median and quartiles."""

    median: float
    low: float
    high: float

    @staticmethod
    def of(values: Sequence[float]) -> Spread:
        if len(values) == 1:
            return Spread(values[0], values[0], values[0])
        low, median, high = statistics.quantiles(values, n=4, method="inclusive")
        return Spread(median, low, high)


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """Return theirs over ours of each round: above 1 ours is faster (or smaller)."""
    return Spread.of([their / our for our, their in zip(ours, theirs, strict=True)])


def alternate(
    contenders: Sequence[Contender],
    task: int,
    repeats: int,
    warmups: int,
    budget: float = BUDGET,
    pause: float = PAUSE,
) -> dict[str, Outcome]:
    """Run one task of all contenders in rounds; the first `warmups` rounds do not count.

    A contender that is absent or fails leaves the race; the others go on. Once the counted rounds
    have taken `budget` seconds, no more than `ENOUGH` are made. Outcomes are by label.
    """
    race = Race(contenders, pause)
    race.each(lambda contender: contender.prepare(task))
    race.each(lambda contender: contender.settle())
    for _ in range(warmups):
        race.each(lambda contender: contender.run())
    start = time.perf_counter()
    for turn in range(repeats):
        if turn >= ENOUGH and time.perf_counter() - start > budget:
            break
        race.each(lambda contender: race.seconds[contender.label].append(contender.run()))
    race.each(lambda contender: race.facts.update({contender.label: contender.finish()}))
    return {contender.label: race.outcome(contender.label) for contender in contenders}


class Race:
    """Who still runs, what each took, and why the others left."""

    def __init__(self, contenders: Sequence[Contender], pause: float):
        self.racing, self.pause = list(contenders), pause
        self.seconds: dict[str, list[float]] = {contender.label: [] for contender in contenders}
        self.facts: dict[str, dict[str, Any]] = {}
        self.left: dict[str, Outcome] = {}

    def each(self, action: Callable[[Contender], object]) -> None:
        """Do something with each in turn; whoever cannot leaves."""
        for contender in list(self.racing):
            try:
                action(contender)
            except (Absent, Failed) as error:
                status = "skipped" if isinstance(error, Absent) else "failed"
                self.left[contender.label] = Outcome(status, problem=f"{status}: {error}")
                self.racing.remove(contender)
                contender.close()
            time.sleep(self.pause)

    def outcome(self, label: str) -> Outcome:
        if label in self.left:
            return self.left[label]
        return Outcome("ok", tuple(self.seconds[label]), self.facts[label])
