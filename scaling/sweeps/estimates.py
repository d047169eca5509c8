"""What trials will take, from what is counted and one short measurement of each family's smallest network.

Time goes by multiply-adds, memory by parameters and activations. Larger ones make better use of a machine,
so that what a smaller one tells of them is rather too much (docs/scaling.md says how good it is). Nothing is
taken to have been compiled before, but for trials that differ by their seed: the second finds its programs.
"""

from __future__ import annotations

from collections.abc import Sequence
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
# Of the seconds and the memory of compiling a step: what all of a run's programs take, evaluation among them,
# and which part of that is left where they are found compiled (measured with the quickstart's networks)
PROGRAMS, FOUND = 1.5, 0.3
# Multiply-adds of a measured step at most, so that it stays short: on a CPU, and on what is faster
MOST_MACS = {"cpu": 10**10}
MOST_MACS_FAST = 10**12


@dataclass(frozen=True)
class Known:
    """A plan's network measured; the bytes that the process had before, and that compiling added for good."""

    plan: Plan
    measured: Measurement
    before: int
    compiling: int


def estimates(plans: Sequence[Plan]) -> list[Estimate]:
    """Measure the smallest network of each family for a few steps, and estimate a trial of each plan by them.

    Trials come in the order of the plans; the second of one plan finds the programs of the first.
    """
    known: dict[str, Known] = {}
    before, compiling = 0, 0
    for plan in sorted(dict.fromkeys(plans), key=lambda plan: plan.cost.macs):
        if plan.arch.family not in known:
            before = before or environment.peak_memory(plan.devices)
            measured = _measure(plan)
            added = environment.peak_memory(plan.devices) - before - measured.memory
            compiling = compiling or max(0, added)
            known[plan.arch.family] = Known(plan, measured, before, compiling)
    first = {plan: i for i, plan in reversed([*enumerate(plans)])}
    return [estimate(plan, known[plan.arch.family], first[plan] < i) for i, plan in enumerate(plans)]


def estimate(plan: Plan, known: Known, found: bool = False) -> Estimate:
    """What a plan takes, by a measured network of its family; `found`: its programs are compiled."""
    programs = PROGRAMS * (FOUND if found else 1.0)
    measured, cost = known.measured, known.plan.cost
    rate = measured.step_ms / 1e3 / (3 * cost.macs * measured.batch)  # seconds a multiply-add
    examined = len(plan.dataset.validation) * (1 + bool(plan.spec.train.ema)) * _validations(plan)
    macs = plan.train_flops(plan.total_steps) / 2 + examined * plan.cost.macs
    seconds = macs * rate / len(plan.devices) + programs * measured.compile_seconds
    grown = plan.cost.activations * _images(plan) / (cost.activations * measured.batch)
    step = max(0, measured.memory - 2 * FLOAT * cost.params) * grown + KEPT * FLOAT * plan.cost.params
    beside = known.before + programs * known.compiling
    return Estimate(seconds, int(beside + step + _held(plan)))


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
