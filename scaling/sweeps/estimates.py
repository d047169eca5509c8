"""What trials will take, from what is counted and a rehearsal of each kind's smallest and largest.

A kind is a family with a head. What a trial between those two takes lies on the line through both in
logarithms (docs/scaling.md says how good it is). Nothing is taken to have been compiled before, but for
trials that differ by their seed: the second finds its programs, and is rehearsed too.
"""

from __future__ import annotations

import dataclasses
import math
import multiprocessing
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

import jax

from scaling.runs.estimate import Estimate
from scaling.runs.spec import RunSpec
from scaling.training.parallel import check_batch
from scaling.training.plan import Plan
from scaling.training.rehearsal import Rehearsal, costliest, rehearse
from scaling.training.start import start

# Multiply-adds of a rehearsed step at most, so that it stays short: on a CPU, and on what is faster
MOST_MACS = {"cpu": 2 * 10**11}
MOST_MACS_FAST = 10**13


@dataclass(frozen=True)
class Known:
    """A plan, what was seen of it on `batch` images a step, and how many times as many it really takes.

    `seen` compiled its programs, `again` found them (None: not rehearsed).
    """

    plan: Plan
    seen: Rehearsal
    again: Rehearsal | None
    batch: int
    grown: float

    def starting(self, found: bool) -> float:
        """Seconds before the first step and of compiling, or of finding what is compiled."""
        seen = (found and self.again) or self.seen
        return seen.starting + len(self.plan.phases) * seen.compiling_step + seen.compiling_evaluation

    def memory(self, found: bool) -> float:
        seen = (found and self.again) or self.seen
        return seen.before + (seen.memory - seen.before) * self.grown

    @property
    def a_multiply_add(self) -> float:
        """Seconds of training."""
        phase = self.plan.phase(costliest(self.plan))
        return self.seen.step / (phase.macs * self.batch)


@dataclass(frozen=True)
class Kind:
    """The smallest and the largest of a kind, and what lies between them."""

    small: Known
    large: Known

    def between(self, plan: Plan, value: Callable[[Known], float]) -> float:
        """A value at a plan's multiply-adds, on the line through both in logarithms; 0 where one is."""
        low, high = value(self.small), value(self.large)
        at = [math.log(one.cost.macs) for one in (self.small.plan, plan, self.large.plan)]
        if at[0] == at[2] or min(low, high) <= 0:
            return min(low, high)
        share = (at[1] - at[0]) / (at[2] - at[0])
        return low ** (1 - share) * high**share


def estimates(plans: Sequence[Plan]) -> list[Estimate]:
    """Rehearse two networks of each kind, and estimate a trial of each plan by them.

    Trials come in the order of the plans; the second of one plan finds the programs of the first.
    """
    plans_of: dict[tuple[str, str], list[Plan]] = {}
    for plan in sorted(dict.fromkeys(plans), key=lambda plan: plan.cost.macs):
        plans_of.setdefault(_kind(plan), []).append(plan)
    first = {plan: i for i, plan in reversed([*enumerate(plans)])}
    kinds = {}
    for kind, (small, *larger) in plans_of.items():
        again = len(first) < len(plans)
        of_small = known(small, again)
        grows = larger and larger[-1].cost.macs > small.cost.macs
        kinds[kind] = Kind(of_small, known(larger[-1], again) if grows else of_small)
    return [estimate(plan, kinds[_kind(plan)], first[plan] < i) for i, plan in enumerate(plans)]


def _kind(plan: Plan) -> tuple[str, str]:
    return plan.arch.family, plan.spec.model.head


def estimate(plan: Plan, kind: Kind, found: bool = False) -> Estimate:
    """What a plan takes, by two rehearsed networks of its kind; `found`: its programs are compiled."""
    training = kind.between(plan, lambda known: known.a_multiply_add) * plan.train_flops(plan.total_steps) / 2
    validations = 1 + ((plan.total_steps - 1) // plan.eval_every if plan.eval_every else 0)
    examining = validations * kind.between(plan, lambda known: known.seen.validation)
    examining += kind.between(plan, lambda known: known.seen.test)
    starting = kind.between(plan, lambda known: known.starting(found))
    memory = kind.between(plan, lambda known: known.memory(found))
    return Estimate(starting + training + examining, int(memory))


def known(plan: Plan, again: bool) -> Known:
    """Rehearse a plan, on fewer images a step where one of all would take long; twice if `again`."""
    spec = _shorter(plan)
    with tempfile.TemporaryDirectory() as kept:
        first, *second = [rehearsed(spec, Path(kept)) for _ in range(1 + again)]
    grown = plan.spec.train.batch / spec.train.batch
    return Known(plan, first, second[0] if second else None, spec.train.batch, grown)


def rehearsed(spec: RunSpec, kept: Path) -> Rehearsal:
    """Rehearse a run whose compiled programs are kept in a directory.

    On a CPU in a process of its own, whose memory is then that of the run alone. An accelerator is held by
    this process, and another could not have it too.
    """
    if jax.default_backend() != "cpu":
        return _started(spec, kept)
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        try:
            return process.submit(_started, spec, kept).result()
        except BrokenProcessPool as error:
            raise ValueError(
                f"{spec.model.name} with model.phi={spec.model.phi:g} could not be tried with train.batch="
                f"{spec.train.batch}: its process was ended, most likely for lack of memory. Lower the batch, or sweep "
                "without --dry_run."
            ) from error
        except ValueError as error:
            raise ValueError(str(error)) from error  # said here, as if no process were between


def _started(spec: RunSpec, kept: Path) -> Rehearsal:
    start(devices=True, cache=kept)
    return rehearse(spec)


def _shorter(plan: Plan) -> RunSpec:
    """The spec, its batches cut so that a step's multiply-adds stay below the most."""
    spec, train = plan.spec, plan.spec.train
    most = MOST_MACS.get(jax.default_backend(), MOST_MACS_FAST)
    each = plan.phase(costliest(plan)).macs
    fits = [n for n in range(1, train.batch + 1) if train.batch % n == 0 and _can_be(plan, n)]
    batch = max((n for n in fits if n * each <= most), default=fits[0])
    cut = max(1, train.eval_batch * batch // train.batch)
    return dataclasses.replace(spec, train=dataclasses.replace(train, batch=batch, eval_batch=cut))


def _can_be(plan: Plan, batch: int) -> bool:
    """Whether a batch can be cut over devices and micro-batches, and holds whole groups of a class."""
    train, augment = plan.spec.train, plan.spec.augment
    try:
        check_batch(batch, len(plan.devices), train.accumulate, bool(augment.mixup or augment.cutmix))
    except ValueError:
        return False
    return batch % max(train.per_class, 1) == 0
