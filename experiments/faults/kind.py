"""A kind of fault, what one trial of it does, and what became of all of them."""

from __future__ import annotations

import random
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from experiments.faults.lab import Lab

SHOWN = 300  # characters of what a trial failed with


class NotRun(Exception):
    """This kind cannot be tried on this machine; the message says why."""


@dataclass(frozen=True)
class Kind:
    """One kind of fault: `run(lab, rng)` arranges it once and checks how it ended, by assertions.

    `trials` is how many faults the whole study has, `quick` how many a glance; one call of `run` is `each` of
    them (a training that is killed five times). `checked` says what holds where a trial ends as it should.
    """

    name: str
    checked: str
    run: Callable[[Lab, random.Random], None]
    trials: int
    quick: int = 0
    each: int = 1

    def calls(self, quick: bool, scale: float) -> int:
        """How often `run` is called; at least once in a whole study."""
        return self.quick // self.each if quick else max(1, round(self.trials * scale / self.each))


@dataclass(frozen=True)
class Outcome:
    """What became of one kind: faults tried, those that ended as they should, and the others by seed."""

    kind: str
    checked: str
    trials: int = 0
    passed: int = 0
    seconds: float = 0.0
    note: str = ""  # why it was not run
    failed: Mapping[str, str] = field(default_factory=dict)


def study(kind: Kind, lab: Lab, seed: int, calls: int) -> Outcome:
    """Try a kind so often, each time from a seed of its own, "kind:seed:number"."""
    began, failed, done = time.monotonic(), {}, 0
    for number in range(calls):
        name = f"{kind.name}:{seed}:{number}"
        try:
            with lab.trial(name), warnings.catch_warnings():
                kind.run(lab, random.Random(name))
        except NotRun as reason:
            return Outcome(kind.name, kind.checked, note=str(reason))
        except Exception as error:  # noqa: BLE001 - whatever it is, the trial did not end as it should
            failed[name] = f"{type(error).__name__}: {' '.join(str(error).split())[:SHOWN]}"
        done += 1
    passed = (done - len(failed)) * kind.each
    seconds = round(time.monotonic() - began, 1)
    return Outcome(kind.name, kind.checked, done * kind.each, passed, seconds, failed=failed)
