"""Roundings: how scaled depths, widths and resolutions become integers that a network can be built with.

Sources: tensorflow/tpu models/official/efficientnet, google/automl efficientnetv2, and those beside each
rounding.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from scaling.arch.arch import Arch
from scaling.arch.fields import DEPTH, WIDTH, marked
from scaling.arch.head import Head
from scaling.arch.map_heads import MapHead
from scaling.arch.rounded import ULP, round_width
from scaling.arch.stages import Stage


@dataclass(frozen=True)
class Rounding:
    """How scaled widths and depths become integers.

    Widths go to the nearest multiple of `divisor` (halves up, at least one divisor), one divisor more
    where that falls below `keep` times the exact width; depths go up to the next integer. `stem`,
    `head`: whether these widths scale. They and the head's hidden layers do not shrink below
    `least_stem`, `least_head` and `least_hidden`, or the base's own width where that is smaller.
    `end_depths`: whether the first and last stage deepen. `shallower`: whether a depth below one block
    means one block; else it is refused where no stage has more.
    """

    divisor: int = 8
    keep: float = 0.0
    stem: bool = True
    head: bool = True
    least_stem: int = 0
    least_head: int = 0
    least_hidden: int = 0
    end_depths: bool = True
    shallower: bool = True


ROUNDINGS = {
    # tensorflow/tpu models/official/efficientnet/efficientnet_model.py: round_filters, round_repeats
    "efficientnet": Rounding(keep=0.9),
    # google/automl efficientnetv2/effnetv2_model.py: no 0.9 rule
    "efficientnet_v2": Rounding(),
    # tensorflow/tpu models/official/efficientnet/lite: stem, head and end depths stay
    "efficientnet_lite": Rounding(keep=0.9, stem=False, head=False, end_depths=False),
    # arXiv 1801.04381 section 6.1: multipliers below 1 leave the last convolution at 1280
    "mobilenet_v2": Rounding(keep=0.9, least_head=1280),
    # timm models/efficientnet.py, _gen_mobilenet_v1; slim's int(width * multiplier) at its multipliers
    "mobilenet_v1": Rounding(keep=0.9, least_head=1024),
    # timm models/mobilenetv3.py, _gen_mobilenet_v3: multipliers below 1 leave stem and hidden layer
    "mobilenet_v3": Rounding(keep=0.9, least_stem=16, least_hidden=1280),
    # timm models/ghostnet.py: multiples of 4, and multipliers below 1 leave the hidden layer
    "ghostnet": Rounding(divisor=4, keep=0.9, least_hidden=1280),
    # tensorflow/tpu models/official/mnasnet/mnasnet_model.py: the last convolution stays at 1280
    "mnasnet": Rounding(keep=0.9, head=False),
    # ours: gives the widths of arXiv 1707.01083; arXiv 1807.11164 Table 5 leaves the last convolution at 1024
    "shufflenet": Rounding(divisor=4, least_head=1024),
    # ours: the papers scale by whole factors (arXiv 1605.07146, 1905.11946 Table 3); group counts are kept
    "resnet": Rounding(),
    # ours: in narrow networks (CIFAR ResNets, small proxies) a step of 8 would hide a width factor of 1.1
    "narrow": Rounding(divisor=4),
    # arXiv 2103.06877 and facebookresearch/pycls pycls/models/scaler.py: group widths scale too, widths
    # are whole groups, and the stem stays
    "regnet": Rounding(stem=False),
    # ours: growth rates are small numbers, and a step of 8 would hide a factor of 1.1
    "densenet": Rounding(divisor=2),
    # ours: a proxy so narrow that a step of 2 would hide a factor of 1.1
    "whole": Rounding(divisor=1),
    # ours: branches of 16 and 24 channels (arXiv 1409.4842 Table 1), where a step of 8 would hide a factor
    # of 1.1
    "inception": Rounding(divisor=4),
    # ours: cells have few filters, and join several states of that width
    "cells": Rounding(divisor=2),
    # ours: plain chains of layers, LeNet (6 and 16 channels) to VGG; one layer is the least there is
    "chain": Rounding(divisor=4, shallower=False),
}


def round_depth(depth: float) -> int:
    """Return the next integer up, ignoring an ulp, and at least 1."""
    return max(1, math.ceil(depth - ULP * max(1.0, depth)))


def round_resolution(side: float, least: int = 1) -> int:
    """Return the nearest integer (halves up), not below `least`."""
    return max(least, math.floor(side + 0.5 + ULP))


def least_resolution(arch: Arch) -> int:
    """The side that rounding does not go below: a stride would act on one pixel there, or a block on none."""
    return min(arch.resolution, max(math.prod(arch.strides), arch.least_side))


def widen(arch: Arch, factor: float, rule: Rounding) -> Arch:
    """Scale every width by one factor: stem, stages, head and auxiliary classifiers."""
    rule = _joining(arch, rule)
    stem = _widen_stages(arch.stem, [factor] * len(arch.stem), rule, arch.in_channels, rule.least_stem)
    stem = stem if rule.stem else arch.stem
    entering = stem[-1].width if stem else arch.in_channels
    stages = _widen_stages(arch.stages, [factor] * len(arch.stages), rule, entering)
    head = _widen_head(arch.head, factor, rule) if rule.head else arch.head
    auxiliary = tuple(_widen_counted(value, factor, rule) for value in arch.auxiliary)
    return arch.replace(stem=stem, stages=stages, head=head, auxiliary=auxiliary)


def widen_each(arch: Arch, factors: Sequence[float], rule: Rounding) -> Arch:
    """Scale the stages, each by its own factor."""
    stages = _widen_stages(arch.stages, factors, _joining(arch, rule), arch.entering)
    return arch.replace(stages=stages)


def _joining(arch: Arch, rule: Rounding) -> Rounding:
    """The rule with widths that what all stages share divides."""
    shared = [stage.block.shared_step for stage in arch.stages]
    return dataclasses.replace(rule, divisor=math.lcm(rule.divisor, *shared))


def _widen_head(head: Head | MapHead, factor: float, rule: Rounding) -> Head | MapHead:
    if isinstance(head, MapHead):
        return _widen_counted(head, factor, rule)

    def scaled(width: int, least: int) -> int:
        return max(round_width(width * factor, rule.divisor, rule.keep), min(least, width))

    hidden = tuple(scaled(width, rule.least_hidden) for width in head.hidden)
    width = None if head.width is None else scaled(head.width, rule.least_head)
    return dataclasses.replace(head, width=width, hidden=hidden)


def _widen_stages(
    stages: tuple[Stage, ...], factors: Sequence[float], rule: Rounding, width: int, least: int = 0
) -> tuple[Stage, ...]:
    """Scale the widths that are free, not below `least`; others follow from the `width` that reaches them."""
    widened = []
    for stage, factor in zip(stages, factors):
        reached = width
        if factor == 1:
            width = stage.block.width_after(stage.width, reached)
            widened.append(dataclasses.replace(stage, width=width))
            continue
        block = _widen_counted(stage.block, factor, rule)
        step = block.width_step(rule.divisor)
        width = max(round_width(stage.width * factor, step, rule.keep), min(least, stage.width))
        width = max(width, block.least_width(reached, stage.stride, step))
        width = block.width_after(width, reached)
        widened.append(dataclasses.replace(stage, block=block, width=width))
    return tuple(widened)


def _widen_counted(value: Any, factor: float, rule: Rounding) -> Any:
    """Scale the channels that a value's fields count, numbers or tuples, and those of values within it."""

    def widen(width):
        if isinstance(width, tuple):
            return tuple(map(widen, width))
        if width is None:  # it follows from another
            return None
        return round_width(width * factor, rule.divisor, rule.keep)

    if isinstance(value, tuple):
        return tuple(_widen_counted(inner, factor, rule) for inner in value)
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return value
    counted = marked(value, WIDTH)
    held = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    changes = {
        name: widen(inner) if name in counted else _widen_counted(inner, factor, rule)
        for name, inner in held.items()
    }
    return dataclasses.replace(value, **changes)


def deepen(
    base: tuple[Stage, ...], stages: tuple[Stage, ...], factors: Sequence[float], rule: Rounding
) -> tuple[Stage, ...]:
    """Scale the depths of the `base` stages, keeping everything else of `stages`."""
    fixed = set() if rule.end_depths else {0, len(stages) - 1}
    return tuple(
        stage if i in fixed or factor == 1 else _deepen_stage(old, stage, factor)
        for i, (old, stage, factor) in enumerate(zip(base, stages, factors))
    )


def _deepen_stage(base: Stage, stage: Stage, factor: float) -> Stage:
    """Scale the layers that the block's own fields count, or else the repeats of a block that repeats."""
    if counted := marked(stage.block, DEPTH):
        scaled = {name: round_depth(getattr(base.block, name) * factor) for name in counted}
        return dataclasses.replace(stage, block=dataclasses.replace(stage.block, **scaled))
    reduces = stage.block.reduces_once and base.stride > 1 and base.repeats == 1
    if not stage.block.deepens or reduces:
        return stage
    return dataclasses.replace(stage, repeats=round_depth(base.repeats * factor))


def deepen_head(head: Head | MapHead, factor: float) -> Head | MapHead:
    """Scale the layers that a head counts, and those of values within it."""
    return _deepen_counted(head, factor)


def _deepen_counted(value: Any, factor: float) -> Any:
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return value
    counted = marked(value, DEPTH)
    held = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    changes = {
        name: round_depth(inner * factor) if name in counted else _deepen_counted(inner, factor)
        for name, inner in held.items()
    }
    return dataclasses.replace(value, **changes)


def check_depth(arch: Arch, depth: float, rule: Rounding) -> None:
    """Raise ValueError where a depth below 1 has no block to take away."""
    depths = [stage.repeats for stage in arch.stages if stage.block.deepens]
    if depth < 1 and not rule.shallower and max(depths, default=1) == 1:
        raise ValueError(
            f"depth={depth:.6g}: every stage of {arch.name} has one block, so there is none to take away: "
            "scale width or resolution instead (alpha=1 in compound)."
        )
