"""What trials will take, from what is counted and one short measurement of each family's smallest network.

Time goes by multiply-adds, memory by parameters and activations. Larger ones make better use of a machine,
so that what a smaller one tells of them is rather too much (docs/scaling.md says how good it is).
"""

from __future__ import annotations

from collections.abc import Iterable
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
# Multiply-adds of a measured step at most, so that it stays short: on a CPU, and on what is faster
MOST_MACS = {"cpu": 10**10}
MOST_MACS_FAST = 10**12


@dataclass(frozen=True)
class Known:
    """A plan's network measured, and the bytes that this process had beside its step."""

    plan: Plan
    measured: Measurement
    beside: int


def estimates(plans: Iterable[Plan]) -> dict[Plan, Estimate]:
    """Measure the smallest network of each family for a few steps, and estimate all plans by them."""
    by_cost = sorted(plans, key=lambda plan: plan.cost.macs)
    known: dict[str, Known] = {}
    beside = 0
    for plan in by_cost:
        if plan.arch.family not in known:
            measured = _measure(plan)
            beside = beside or max(0, environment.peak_memory(plan.devices) - measured.memory)
            known[plan.arch.family] = Known(plan, measured, beside)
    return {plan: estimate(plan, known[plan.arch.family]) for plan in by_cost}


def estimate(plan: Plan, known: Known) -> Estimate:
    """What a plan takes, by the measurement of a network of its family."""
    measured, cost = known.measured, known.plan.cost
    rate = measured.step_ms / 1e3 / (3 * cost.macs * measured.batch)  # seconds a multiply-add
    examined = len(plan.dataset.validation) * (1 + bool(plan.spec.train.ema)) * _validations(plan)
    macs = plan.train_flops(plan.total_steps) / 2 + examined * plan.cost.macs
    seconds = macs * rate / len(plan.devices) + measured.compile_seconds
    grown = plan.cost.activations * _images(plan) / (cost.activations * measured.batch)
    step = max(0, measured.memory - 2 * FLOAT * cost.params) * grown + KEPT * FLOAT * plan.cost.params
    return Estimate(seconds, int(known.beside + step + _held(plan)))


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
