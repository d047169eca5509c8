"""In what range the numbers of a config must lie, a table for each of its sections."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from scaling.runs.augmenting import AugmentSpec
from scaling.runs.learning import OptimizerSpec, ScheduleSpec

if TYPE_CHECKING:
    from scaling.runs.spec import ModelSpec, RunSpec, TrainSpec

Ranges = dict[str, tuple[bool, str]]  # of a field: whether its value is in its range, and the range in words


def check_ranges(spec: RunSpec) -> None:
    """Raise ValueError for a number outside its range, naming the value and the range."""
    check_seed(spec.seed)
    _check("model", spec.model, _model(spec.model))
    _check("optimizer", spec.optimizer, _optimizer(spec.optimizer))
    _check("schedule", spec.schedule, _schedule(spec.schedule))
    _check("train", spec.train, _train(spec.train))
    check_augment(spec.augment)


def check_seed(seed: int) -> None:
    """Raise ValueError for a seed that NumPy or JAX does not take."""
    if not 0 <= seed < 2**63:
        raise ValueError(f"seed={seed} must be from 0 to 2**63 - 1: choose another.")


def check_augment(augment: AugmentSpec) -> None:
    """Raise ValueError for a setting of augmentation outside its range."""
    _check("augment", augment, _augment(augment))


def _check(section: str, values: Any, ranges: Ranges) -> None:
    for name, (good, rule) in ranges.items():
        if not good:
            raise ValueError(f"config.{section}.{name}={getattr(values, name)} must be {rule}.")


def _model(model: ModelSpec) -> Ranges:
    return {
        "phi": (math.isfinite(model.phi), "a finite number, 0 for the base itself"),
        "norm_momentum": (
            0 <= (model.norm_momentum or 0) < 1,
            "in [0, 1), the share of old statistics that is kept, or None for the architecture's own",
        ),
    }


def _optimizer(optimizer: OptimizerSpec) -> Ranges:
    share = {name: getattr(optimizer, name) for name in ("momentum", "rms_decay", "b1", "b2")}
    return {
        "lr": (0 < optimizer.lr < math.inf, "a finite number above 0"),
        "lr_batch": (optimizer.lr_batch >= 0, "at least 0; 0 takes lr as it is"),
        **{name: (0 <= value < 1, "in [0, 1)") for name, value in share.items()},
        "eps": (0 <= optimizer.eps < math.inf, "a finite number of at least 0"),
        "weight_decay": (0 <= optimizer.weight_decay < math.inf, "a finite number of at least 0; 0 is off"),
        "clip_norm": (
            optimizer.clip_norm is None or optimizer.clip_norm > 0,
            "above 0, or None for no limit",
        ),
        "trust": (0 < optimizer.trust < math.inf, "a finite number above 0"),
    }


def _schedule(schedule: ScheduleSpec) -> Ranges:
    return {
        "factor": (0 <= schedule.factor <= 1, "in [0, 1]; 1 leaves the learning rate as it is"),
        "final": (0 <= schedule.final < math.inf, "a finite number of at least 0, a share of the peak"),
        "power": (0 <= schedule.power < math.inf, "a finite number of at least 0"),
    }


def _train(train: TrainSpec) -> Ranges:
    return {
        "label_smoothing": (0 <= train.label_smoothing < 1, "in [0, 1)"),
        "ema": (0 <= train.ema < 1, "in [0, 1); 0 averages nothing"),
        "eval_batch": (train.eval_batch >= 1, "at least 1"),
        "keep": (train.keep >= 1, "at least 1 checkpoint"),
        "steps_per_call": (
            train.steps_per_call is None or train.steps_per_call >= 1,
            "at least 1, or None for the backend's own",
        ),
        "box_weight": (train.box_weight >= 0, "at least 0"),
        "least_score": (0 <= train.least_score < 1, "in [0, 1)"),
        "most_overlap": (0 < train.most_overlap <= 1, "in (0, 1]"),
        "sure_score": (0 <= train.sure_score < 1, "in [0, 1)"),
        "regions": (train.regions >= 1, "at least 1"),
        "per_class": (
            train.per_class >= 0 and train.batch % max(train.per_class, 1) == 0,
            f"at least 0 and divide train.batch={train.batch}",
        ),
        "margin": ((train.margin or 0) >= 0, "at least 0, or None for the loss's own"),
        "scale": (train.scale > 0, "above 0"),
        "non_finite_limit": (train.non_finite_limit >= 1, "at least 1; non_finite='stop' allows none"),
        "rollback_rate": (0 < train.rollback_rate <= 1, "in (0, 1]; 1 leaves the learning rate as it is"),
        "progressive_magnitude": (
            all(0 <= magnitude <= 10 for magnitude in train.progressive_magnitude),
            "numbers from 0 to 10",
        ),
        "timeout": (train.timeout >= 0, "a number of seconds, 0 for none"),
    }


def _augment(augment: AugmentSpec) -> Ranges:
    return {
        "eval_crop": (0 < augment.eval_crop <= 1, "above 0 and at most 1"),
        "area": (0 < augment.area[0] <= augment.area[1] <= 1, "two rising fractions in (0, 1]"),
        "aspect": (0 < augment.aspect[0] <= augment.aspect[1], "two rising numbers above 0"),
        "pad": (augment.pad >= 0, "at least 0"),
        "randaugment_layers": (augment.randaugment_layers >= 0, "at least 0"),
        "randaugment_magnitude": (0 <= augment.randaugment_magnitude <= 10, "from 0 to 10"),
        "autoaugment": (
            not (augment.autoaugment and augment.randaugment_layers),
            "empty beside randaugment_layers: one stands in the other's place",
        ),
        "noise": (0 <= augment.noise < math.inf, "a finite number of at least 0, of pixels up to 255"),
        "gain": (0 <= augment.gain < math.inf, "at least 0 decibels, and finite"),
        "erase": (0 <= augment.erase <= 1, "a probability"),
        "mixup": (augment.mixup >= 0, "at least 0 (0 is off)"),
        "cutmix": (augment.cutmix >= 0, "at least 0 (0 is off)"),
    }
