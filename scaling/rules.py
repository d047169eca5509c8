"""Rules that map an Arch to a larger or smaller one: depth, width, resolution, or all three by phi.

What factors a rule gives is in `scaling.factors`; how they become integers is here. Sources: arXiv
1905.11946 (compound scaling), arXiv 2104.00298 (EfficientNetV2), and the roundings of tensorflow/tpu
models/official/efficientnet and google/automl efficientnetv2.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from scaling.arch import Arch, Head, Stage, least_side, settle
from scaling.blocks import (
    Block,
    Cell,
    Conv,
    Fire,
    Residual,
    ShuffleV1,
    ShuffleV2,
    XBlock,
    repeats,
    width_after,
)
from scaling.border import nearest
from scaling.factors import (
    RULES,
    Coefficients,
    Powers,
    Rule,
    Table,
    check_factors,
    compound_rule,
    dwr,
)
from scaling.spec import ModelSpec

ULP = 1e-9  # factors such as 1.1**2 / 1.21 sit an ulp beside the number they stand for


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
    # timm models/efficientnet.py, _gen_mobilenet_v1; equal to slim's int(width * multiplier) at its multipliers
    "mobilenet_v1": Rounding(keep=0.9, least_head=1024),
    # timm models/mobilenetv3.py, _gen_mobilenet_v3: multipliers below 1 leave stem and hidden layer
    "mobilenet_v3": Rounding(keep=0.9, least_stem=16, least_hidden=1280),
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
    # ours: branches of 16 and 24 channels (arXiv 1409.4842 Table 1), where a step of 8 would hide a factor of 1.1
    "inception": Rounding(divisor=4),
    # ours: cells have few filters, and join several states of that width
    "cells": Rounding(divisor=2),
    # ours: plain chains of layers, LeNet (6 and 16 channels) to VGG; one layer is the least there is
    "chain": Rounding(divisor=4, shallower=False),
}


def scale(
    arch: Arch,
    depth: float | Sequence[float] = 1.0,
    width: float | Sequence[float] = 1.0,
    resolution: float = 1.0,
    rounding: str | None = None,
) -> Arch:
    """Scale each axis by a factor above 0; a factor of 1 leaves its axis exactly as it is.

    `depth` and `width` may be one factor for each of the stages; such widths leave stem and head alone.
    `rounding` (default: the arch's own) names one of `ROUNDINGS`. A resolution becomes the nearest
    integer, and does not go below the product of the strides (or the base's own side where that is
    smaller): from there on a stride would act on a single pixel; nor below `least_side`. Raises ValueError for a factor of 0
    or below, an unknown rounding, or a depth below 1 where the rounding refuses it.
    """
    depths, widths = _of_stages(arch, "depth", depth), _of_stages(arch, "width", width)
    check_factors(resolution=resolution)
    name = rounding or arch.rounding
    if name not in ROUNDINGS:
        raise ValueError(
            f"rounding={name!r} is not in scaling.rules.ROUNDINGS{nearest(name, ROUNDINGS) or '.'}"
        )
    deeper = any(factor != 1 for factor in depths)
    wider = any(factor != 1 for factor in widths)
    if not deeper and not wider and resolution == 1 and name == arch.rounding:
        return arch
    rule = ROUNDINGS[name]
    scaled = arch.replace(rounding=name)
    if wider:
        alone = isinstance(width, Sequence)
        scaled = _widen_each(scaled, widths, rule) if alone else _widen(scaled, widths[0], rule)
    if deeper:
        _check_depth(arch, max(depths), rule)
        deepened = _deepen(arch.stages, scaled.stages, depths, rule)
        scaled = scaled.replace(stages=settle(deepened, scaled.entering))
    if resolution != 1:
        scaled = scaled.replace(resolution=_round_resolution(arch, resolution))
    labels = [_factor_label("d", list(dict.fromkeys(depths)))] if deeper else []
    labels += [_factor_label("w", widths if len(set(widths)) > 1 else widths[:1])] if wider else []
    labels += [f"r={resolution:.6g}"] if resolution != 1 else []
    if name != arch.rounding:
        labels.append(f"rounding={name}")
    return scaled.replace(name=" ".join([arch.name, *labels]))


def _factor_label(axis: str, factors: Sequence[float]) -> str:
    return f"{axis}=" + "/".join(f"{factor:.6g}" for factor in factors)


def compound(arch: Arch, phi: float, alpha: float = 1.2, beta: float = 1.1, gamma: float = 1.15) -> Arch:
    """Scale depth by alpha**phi, width by beta**phi, resolution by gamma**phi; phi of any sign.

    The defaults are those of arXiv 1905.11946 section 4. phi = 0 is the identity.
    """
    check_factors(alpha=alpha, beta=beta, gamma=gamma)
    return follow(arch, compound_rule(alpha, beta, gamma), phi)


def follow(arch: Arch, rule: Rule, at: float | str) -> Arch:
    """Scale by a rule: to `at`, a phi of `Powers` or the name of a `Table`'s size.

    A rule of one axis names the network by its factor, others by phi or size. phi = 0 is the identity.
    """
    if isinstance(rule, Table):
        size = rule.size(str(at))
        scaled = scale(arch, size.depth, size.width, size.resolution)
        return scaled.replace(name=f"{arch.name} {rule.name} {size.name}")
    phi = float(at)
    if phi == 0:
        return arch
    factors = rule.factors(phi)
    scaled = scale(arch, factors.depth, factors.width, factors.resolution)
    return (
        scaled
        if len(rule.axes) == 1
        else scaled.replace(name=f"{arch.name} {_label(rule)}phi={phi:.6g}{_bases(rule)}")
    )


def _label(rule: Powers) -> str:
    return "" if rule.name == "compound" else f"{rule.name} "


def _bases(rule: Powers) -> str:
    """The bases in brackets, where the rule's name alone does not say them."""
    if RULES.get(rule.name) == rule:
        return ""
    return f" ({rule.depth:.6g}, {rule.width:.6g}, {rule.resolution:.6g})"


def coefficients(arch: Arch, rule: Rule, at: float | str) -> Coefficients:
    """The factors over `arch` that `follow` applies; of depths that differ, the one of all blocks together."""
    if isinstance(rule, Powers):
        return rule.factors(float(at))
    size = rule.size(str(at))
    depth = size.depth if isinstance(size.depth, float) else follow(arch, rule, at).depth / arch.depth
    return Coefficients(depth, size.width, size.resolution)


def resolve(model: ModelSpec, num_classes: int, in_channels: int) -> tuple[Arch, Coefficients]:
    """Turn a ModelSpec into the network to build: name or arch, base, rule, then drop rates.

    Raises KeyError for an unknown name and ValueError where the result is no valid Arch.
    """
    base = _base(model).replace(num_classes=num_classes, in_channels=in_channels)
    if model.rule == "axes":
        arch = scale(base, model.depth, model.width, model.resolution)
        factors = Coefficients(model.depth, model.width, model.resolution)
    else:
        rule = rule_of(model)
        at = model.size if isinstance(rule, Table) else model.phi
        arch, factors = follow(base, rule, at), coefficients(base, rule, at)
    rates = {rate: getattr(model, rate) for rate in ("drop_rate", "drop_path_rate")}
    arch = arch.replace(**{k: v for k, v in rates.items() if v is not None})
    if model.norm_momentum is not None:
        arch = arch.replace(norm=dataclasses.replace(arch.norm, momentum=model.norm_momentum))
    return arch, factors


def rule_of(model: ModelSpec) -> Rule:
    """The rule that a config names, with the config's own bases or exponent."""
    if model.rule == "compound":
        return compound_rule(model.alpha, model.beta, model.gamma)
    return dwr(model.exponent) if model.rule == "dwr" else RULES[model.rule]


def _base(model: ModelSpec) -> Arch:
    from scaling import zoo  # the zoo's tables are themselves built by the rules above

    arch = Arch.from_dict(model.arch) if model.arch is not None else zoo.get(model.name)
    changes: dict = {"resolution": model.base_resolution} if model.base_resolution is not None else {}
    if model.stages:
        arch = _keep_stages(arch, model.stages)
    if model.stem:
        changes["stem"] = model.stem
    if model.strides:
        changes["strides"] = model.strides
    rounding = model.rounding or None
    return scale(arch, depth=model.base_depth, width=model.base_width, rounding=rounding).replace(**changes)


def _keep_stages(arch: Arch, kept: tuple[int, ...]) -> Arch:
    if any(i not in range(len(arch.stages)) for i in kept) or list(kept) != sorted(set(kept)):
        raise ValueError(
            f"config.model.stages={kept} must name stages of {arch.name} in order, each once: "
            f"it has stages 0 to {len(arch.stages) - 1}."
        )
    stages = settle(tuple(arch.stages[i] for i in kept), arch.entering)
    moved = (a for a in arch.auxiliary if a.after in kept)
    auxiliary = tuple(dataclasses.replace(a, after=kept.index(a.after)) for a in moved)
    return arch.replace(stages=stages, auxiliary=auxiliary)


def round_width(width: float, divisor: int, keep: float = 0.0) -> int:
    """Return the nearest multiple of `divisor` (halves up, at least one), not below keep * width."""
    rounded = max(divisor, int(width + divisor / 2 + ULP) // divisor * divisor)
    return rounded + divisor if rounded < keep * width else rounded


def round_depth(depth: float) -> int:
    """Return the next integer up, ignoring an ulp, and at least 1."""
    return max(1, math.ceil(depth - ULP * max(1.0, depth)))


def _round_resolution(arch: Arch, factor: float) -> int:
    least = min(arch.resolution, max(math.prod(arch.strides), least_side(arch)))
    return max(least, math.floor(arch.resolution * factor + 0.5 + ULP))


def _widen(arch: Arch, factor: float, rule: Rounding) -> Arch:
    rule = _joining(arch, rule)
    stem = _widen_stages(arch.stem, [factor] * len(arch.stem), rule, arch.in_channels, rule.least_stem)
    stem = stem if rule.stem else arch.stem
    entering = stem[-1].width if stem else arch.in_channels
    stages = _widen_stages(arch.stages, [factor] * len(arch.stages), rule, entering)
    head = _widen_head(arch.head, factor, rule) if rule.head else arch.head
    auxiliary = tuple(_widen_counted(value, factor, rule) for value in arch.auxiliary)
    return arch.replace(stem=stem, stages=stages, head=head, auxiliary=auxiliary)


def _widen_each(arch: Arch, factors: Sequence[float], rule: Rounding) -> Arch:
    """Scale the stages, each by its own factor."""
    stages = _widen_stages(arch.stages, factors, _joining(arch, rule), arch.entering)
    return arch.replace(stages=stages)


def _joining(arch: Arch, rule: Rounding) -> Rounding:
    """The rule with widths that the groups of all stages divide, where inputs are joined to outputs."""
    joined = [stage.block.groups for stage in arch.stages if isinstance(stage.block, ShuffleV1)]
    return dataclasses.replace(rule, divisor=math.lcm(rule.divisor, *joined))


def _widen_head(head: Head, factor: float, rule: Rounding) -> Head:
    def scaled(width: int, least: int) -> int:
        return max(round_width(width * factor, rule.divisor, rule.keep), min(least, width))

    hidden = tuple(scaled(width, rule.least_hidden) for width in head.hidden)
    width = None if head.width is None else scaled(head.width, rule.least_head)
    return dataclasses.replace(head, width=width, hidden=hidden)


def _widen_stages(
    stages: tuple[Stage, ...], factors: Sequence[float], rule: Rounding, width: int, least: int = 0
) -> tuple[Stage, ...]:
    """Scale the widths that are free, not below `least`; others follow from the `width` that reaches them.

    A strided ShuffleV1 joins its input to its own channels, so it stays wider than what reaches it.
    """
    widened = []
    for stage, factor in zip(stages, factors):
        reached = width
        if factor == 1:
            width = width_after(stage.block, stage.width, reached)
            widened.append(dataclasses.replace(stage, width=width))
            continue
        block = _widen_counted(stage.block, factor, rule)
        step = _step(block, rule.divisor)
        width = max(round_width(stage.width * factor, step, rule.keep), min(least, stage.width))
        if isinstance(block, ShuffleV1) and stage.stride > 1:
            width = max(width, (reached // step + 1) * step)
        width = width_after(block, width, reached)
        widened.append(dataclasses.replace(stage, block=block, width=width))
    return tuple(widened)


def _widen_counted(value: Any, factor: float, rule: Rounding) -> Any:
    """Scale the channels that a value's own fields count, one number or a tuple, and those of values in it."""

    def widen(width):
        if isinstance(width, tuple):
            return tuple(map(widen, width))
        return round_width(width * factor, rule.divisor, rule.keep)

    if isinstance(value, tuple):
        return tuple(_widen_counted(inner, factor, rule) for inner in value)
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return value
    counted = {f.name for f in dataclasses.fields(value) if f.metadata.get("width")}
    held = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    changes = {
        name: widen(inner) if name in counted else _widen_counted(inner, factor, rule)
        for name, inner in held.items()
    }
    return dataclasses.replace(value, **changes)


def _step(block: Block, divisor: int) -> int:
    """The smallest step of the output width that keeps inner widths whole and divisible by groups."""
    if isinstance(block, Residual):
        inner = Fraction(block.inner).limit_denominator(1024)
        needed = inner.denominator * block.groups
        return math.lcm(divisor, needed // math.gcd(inner.numerator, needed))
    if isinstance(block, XBlock):
        return block.group_width
    if isinstance(block, Cell):
        return divisor * block.parts
    if isinstance(block, ShuffleV1 | ShuffleV2):
        return math.lcm(divisor, 4 * block.groups if isinstance(block, ShuffleV1) else 2)
    if isinstance(block, Fire):
        return math.lcm(divisor, 2, Fraction(block.squeeze).limit_denominator(1024).denominator)
    return math.lcm(divisor, block.groups) if isinstance(block, Conv) else divisor


def _deepen(
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
    counted = [f.name for f in dataclasses.fields(stage.block) if f.metadata.get("depth")]
    if counted:
        scaled = {name: round_depth(getattr(base.block, name) * factor) for name in counted}
        return dataclasses.replace(stage, block=dataclasses.replace(stage.block, **scaled))
    if not repeats(stage.block) or _is_reduction(base):
        return stage
    return dataclasses.replace(stage, repeats=round_depth(base.repeats * factor))


def _is_reduction(stage: Stage) -> bool:
    """Whether the stage is a reduction cell, of which there is one however deep a network is."""
    return isinstance(stage.block, Cell) and stage.stride > 1 and stage.repeats == 1


def _check_depth(arch: Arch, depth: float, rule: Rounding) -> None:
    depths = [stage.repeats for stage in arch.stages if repeats(stage.block)]
    if depth < 1 and not rule.shallower and max(depths, default=1) == 1:
        raise ValueError(
            f"depth={depth:.6g}: every stage of {arch.name} has one block, so there is none to take away: "
            "scale width or resolution instead (alpha=1 in compound)."
        )


def _of_stages(arch: Arch, axis: str, given: float | Sequence[float]) -> tuple[float, ...]:
    """A factor for each stage."""
    factors = tuple(given) if isinstance(given, Sequence) else (given,) * len(arch.stages)
    if len(factors) != len(arch.stages):
        raise ValueError(
            f"{axis}={factors} has {len(factors)} factors, but {arch.name} has {len(arch.stages)} stages: give "
            "one for each, or a single one for all."
        )
    for factor in factors:
        check_factors(**{axis: factor})
    return factors
