"""What trials will take, from what is counted and short measurements of each kind's smallest and largest.

A kind is a family with a head. Seconds a multiply-add and seconds to compile lie between those two's, memory
goes by parameters and activations (docs/scaling.md says how good it is). Nothing is taken to have been
compiled before, but for trials that differ by their seed: the second finds its programs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from scaling.cost.measuring import Measurement, measure
from scaling.runs.estimate import Estimate
from scaling.training import environment
from scaling.training.plan import Plan

FLOAT = 4  # bytes
KEPT = 5  # arrays of a parameter's size: itself, its gradient, two moments, an average
REPEATS = 2
# What all of a run's programs, its start and its end take over what compiling the measured step took, and
# where they are found compiled: in seconds, and in memory that stays (told by the quickstart's networks)
SECONDS, SECONDS_FOUND = 2.8, 0.6
MEMORY, MEMORY_FOUND = 1.5, 0.45
# Multiply-adds of a measured step at most, so that it stays short: on a CPU, and on what is faster
MOST_MACS = {"cpu": 10**10}
MOST_MACS_FAST = 10**12


@dataclass(frozen=True)
class Known:
    """A kind's smallest and largest plan, measured; bytes of the process before, and added by compiling."""

    small: Plan
    large: Plan
    of_small: Measurement
    of_large: Measurement
    before: int
    compiling: int

    def between(self, plan: Plan, value: Callable[[Plan, Measurement], float]) -> float:
        """A value at a plan's multiply-adds, on the line through both in logarithms."""
        low, high = value(self.small, self.of_small), value(self.large, self.of_large)
        if self.small.cost.macs == self.large.cost.macs:
            return low
        share = math.log(plan.cost.macs / self.small.cost.macs)
        share /= math.log(self.large.cost.macs / self.small.cost.macs)
        return low ** (1 - share) * high**share


def estimates(plans: Sequence[Plan]) -> list[Estimate]:
    """Measure two networks of each kind for a few steps, and estimate a trial of each plan by them.

    Trials come in the order of the plans; the second of one plan finds the programs of the first.
    """
    kinds: dict[tuple[str, str], list[Plan]] = {}
    for plan in sorted(dict.fromkeys(plans), key=lambda plan: plan.cost.macs):
        kinds.setdefault(_kind(plan), []).append(plan)
    known: dict[tuple[str, str], Known] = {}
    before, compiling = 0, 0
    for kind, (small, *larger) in kinds.items():
        large = larger[-1] if larger else small
        before = before or environment.peak_memory(small.devices)
        measured = _measure(small)
        added = environment.peak_memory(small.devices) - before - measured.memory
        compiling = compiling or max(0, added)
        of_large = _measure(large) if large.cost.macs > small.cost.macs else measured
        known[kind] = Known(small, large, measured, of_large, before, compiling)
    first = {plan: i for i, plan in reversed([*enumerate(plans)])}
    return [estimate(plan, known[_kind(plan)], first[plan] < i) for i, plan in enumerate(plans)]


def _kind(plan: Plan) -> tuple[str, str]:
    return plan.arch.family, plan.spec.model.head


def estimate(plan: Plan, known: Known, found: bool = False) -> Estimate:
    """What a plan takes, by a measured network of its kind; `found`: its programs are compiled."""
    measured, cost = known.of_small, known.small.cost
    rate = known.between(plan, _rate)
    compiling = known.between(plan, lambda _, found: found.compile_seconds)
    examined = len(plan.dataset.validation) * (1 + bool(plan.spec.train.ema)) * _validations(plan)
    macs = plan.train_flops(plan.total_steps) / 2 + examined * plan.cost.macs
    seconds = macs * rate / len(plan.devices) + compiling * (SECONDS_FOUND if found else SECONDS)
    grown = plan.cost.activations * _images(plan) / (cost.activations * measured.batch)
    step = max(0, measured.memory - 2 * FLOAT * cost.params) * grown + KEPT * FLOAT * plan.cost.params
    beside = known.before + known.compiling * (MEMORY_FOUND if found else MEMORY)
    return Estimate(seconds, int(beside + step + _held(plan)))


def _rate(plan: Plan, measured: Measurement) -> float:
    """Seconds a multiply-add of a measured training step."""
    return measured.step_ms / 1e3 / (3 * plan.cost.macs * measured.batch)


def _measure(plan: Plan) -> Measurement:
    most = MOST_MACS.get(jax.default_backend(), MOST_MACS_FAST) // (3 * plan.cost.macs)
    model = plan.spec.model
    batch = max(1, min(_images(plan), most))
    return measure(plan.arch, batch, dtype=jnp.dtype(model.dtype), repeats=REPEATS, remat=model.remat)


def _images(plan: Plan) -> int:
    """Of a step, those that a device holds at once."""
    return max(1, plan.spec.train.batch // (plan.spec.train.accumulate * len(plan.devices)))


def _validations(plan: Plan) -> int:
    """How often training stops to validate, and once at the end."""
    return 1 + ((plan.total_steps - 1) // plan.eval_every if plan.eval_every else 0)


def _held(plan: Plan) -> int:
    """Bytes of the training images at the side at which they are kept; none where they are streamed."""
    spec, data = plan.spec, plan.dataset
    side = spec.data.store or round(plan.arch.resolution / spec.augment.eval_crop)
    return 0 if spec.data.resident is False else len(data.train) * side**2 * data.in_channels
