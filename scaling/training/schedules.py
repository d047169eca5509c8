"""Learning rates as pure functions of the step, built from a spec and the length of an epoch.

Not optax's: its staircase divides floats and comes a step late for some lengths, and its warm-up, cosine and
steps give other last digits, with which committed runs could not be made again (docs/decisions.md).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import optax

from scaling.runs.duration import Duration
from scaling.runs.spec import OptimizerSpec, RunSpec, ScheduleSpec

Schedule = Callable[[Any], Any]


def peak_rate(spec: OptimizerSpec, batch: int) -> float:
    """Return the peak learning rate for a global batch: linear in it, unless `lr_batch` is 0.

    Source: arXiv 1706.02677, section 2.1.
    """
    return spec.lr * batch / spec.lr_batch if spec.lr_batch else spec.lr


def build(spec: ScheduleSpec, peak: float, total_steps: int, steps_per_epoch: int) -> Schedule:
    """Return the schedule: step (counted from 0) -> learning rate.

    During the warm-up of w steps the rate is `peak * step / w`. The staircases count from step 0,
    warm-up included, as EfficientNet's own code does; the cosine starts where the warm-up ends.
    """
    warmup = Duration.parse(spec.warmup).steps(steps_per_epoch)
    if warmup >= total_steps:
        raise ValueError(
            f"config.schedule.warmup={spec.warmup!r} is {warmup} steps, not shorter than the whole training "
            f"of {total_steps} steps: shorten it or lengthen config.train.duration."
        )
    factor = SHAPES[spec.name](spec, warmup, total_steps, steps_per_epoch)

    def rate(step):
        step = jnp.asarray(step)
        after = peak * factor(step)
        return jnp.where(step < warmup, peak * step / warmup, after) if warmup else after

    return rate


def of_run(spec: RunSpec, starts: Sequence[int], total_steps: int, steps_per_epoch: int) -> Schedule:
    """Return the schedule of a run; in turns, by the steps they start at, each has the whole of it.

    Source of the turns: arXiv 1506.01497.
    """
    peak = peak_rate(spec.optimizer, spec.train.batch)
    lengths = [end - start for start, end in zip(starts, [*starts[1:], total_steps])]
    each = [build(spec.schedule, peak, length, steps_per_epoch) for length in lengths]
    return optax.join_schedules(each, starts[1:]) if starts[1:] else each[0]


def _cosine(spec: ScheduleSpec, warmup: int, total_steps: int, steps_per_epoch: int) -> Schedule:
    def factor(step):
        progress = jnp.clip((step - warmup) / (total_steps - warmup), 0.0, 1.0)
        return spec.final + (1.0 - spec.final) * 0.5 * (1.0 + jnp.cos(jnp.pi * progress))

    return factor


def _exponential(spec: ScheduleSpec, warmup: int, total_steps: int, steps_per_epoch: int) -> Schedule:
    every = Duration.parse(spec.every).steps(steps_per_epoch)
    if every < 1:
        raise ValueError(
            f"config.schedule.every={spec.every!r} is less than one step at {steps_per_epoch} steps per "
            "epoch: make it longer."
        )
    return lambda step: jnp.float32(spec.factor) ** (step // every)


def _step(spec: ScheduleSpec, warmup: int, total_steps: int, steps_per_epoch: int) -> Schedule:
    edges = jnp.array([Duration.parse(b).steps(steps_per_epoch) for b in spec.boundaries], jnp.int32)
    return lambda step: jnp.float32(spec.factor) ** jnp.sum(step >= edges)


def _constant(spec: ScheduleSpec, warmup: int, total_steps: int, steps_per_epoch: int) -> Schedule:
    return lambda step: jnp.float32(1.0)


def _poly(spec: ScheduleSpec, warmup: int, total_steps: int, steps_per_epoch: int) -> Schedule:
    return lambda step: jnp.maximum(1.0 - step / total_steps, 0.0) ** spec.power


SHAPES = {
    "cosine": _cosine,
    "exponential": _exponential,
    "step": _step,
    "poly": _poly,
    "constant": _constant,
}


def drop_path_share(spec: ScheduleSpec, total_steps: int) -> Schedule | None:
    """Return step -> the share of the network's drop-path rates that holds then; None: all of them, always.

    Source: tensorflow/models research/slim/nets/nasnet/nasnet_utils.py (drop_connect_version "v3").
    """
    if spec.drop_path == "constant":
        return None
    return lambda step: jnp.minimum(step / total_steps, 1.0)
