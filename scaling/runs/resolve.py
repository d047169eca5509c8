"""From what a config says of a network to the network: name, file or arch, base, rule, drop rates."""

from __future__ import annotations

import dataclasses
import functools

from scaling import zoo
from scaling.arch.arch import Sized
from scaling.arch.box_heads import BoxHead
from scaling.arch.custom import Custom, is_file, load, pin
from scaling.arch.heads import HEADS
from scaling.arch.stages import settle
from scaling.border.typed import nearest
from scaling.rules.factors import RULES, Coefficients, Detectors, Rule, Table, compound_rule, dwr
from scaling.rules.rounding import least_resolution, round_resolution
from scaling.rules.scale import apply, coefficients, scale
from scaling.runs.spec import ModelSpec

LEAST_WIDTH = 1  # channels of a stage, before rounding
MOST_BLOCKS = 10_000  # ResNet-1202 has 600; more take minutes to count
MOST_SIDE = 2**20  # pixels, or frames


def resolve(model: ModelSpec, num_classes: int, in_channels: int) -> tuple[Sized, Coefficients]:
    """Turn a ModelSpec into the network to build: name, file or arch, base, rule, then drop rates.

    Raises KeyError for an unknown name and ValueError where the result is no valid network.
    """
    base = _base(model).replace(num_classes=num_classes, in_channels=in_channels)
    if model.rule == "axes":
        arch = scale(base, model.depth, model.width, model.resolution)
        factors = Coefficients(model.depth, model.width, model.resolution)
    else:
        rule = rule_of(model)
        at = model.size or model.phi if isinstance(rule, Detectors | Table) else model.phi
        arch, factors = apply(base, rule, at), coefficients(base, rule, at)
        if isinstance(rule, Detectors):  # before rounding, which goes no lower than the least side
            _check_least(base, model, dataclasses.replace(factors, resolution=rule.at(at).resolution))
    _check_least(base, model, factors)
    _check_most(arch, model)
    rates = {rate: getattr(model, rate) for rate in ("drop_rate", "drop_path_rate", "norm_momentum")}
    return arch.replace(**{k: v for k, v in rates.items() if v is not None}), factors


def _check_least(base: Sized, model: ModelSpec, factors: Coefficients) -> None:
    """Raise ValueError where a rule leaves less than a network of that base can follow.

    The least side is the one that rounding does not go below, the least width one channel: further down
    networks of ever smaller factors would be the same.
    """
    told = _factors_of(model)
    least = 1 if isinstance(base, Custom) else least_resolution(base)
    if factors.resolution < 1 and round_resolution(side := base.resolution * factors.resolution) < least:
        raise ValueError(
            f"{told} gives {base.name} a side of {side:.3g} pixels, but the least is {least}: choose a larger phi "
            "or factor, a larger config.model.base_resolution, or smaller config.model.strides."
        )
    narrowest = LEAST_WIDTH if isinstance(base, Custom) else min(base.widths) * min(1, factors.width)
    if narrowest < LEAST_WIDTH:
        raise ValueError(
            f"{told} leaves the narrowest stage of {base.name} {narrowest:.2g} of a channel, less than {LEAST_WIDTH}: "
            "choose a larger phi or factor, or a larger config.model.base_width."
        )


def _check_most(arch: Sized, model: ModelSpec) -> None:
    """Raise ValueError for more blocks or a larger side than any network has that could be trained."""
    blocks = 0 if isinstance(arch, Custom) else arch.depth
    if blocks > MOST_BLOCKS or arch.resolution > MOST_SIDE:
        raise ValueError(
            f"{_factors_of(model)} gives {arch.name} {blocks:,} blocks and a side of {arch.resolution:,} pixels, but the "
            f"most are {MOST_BLOCKS:,} and {MOST_SIDE:,}: choose a smaller phi or factor, or a smaller base."
        )


def _factors_of(model: ModelSpec) -> str:
    """The fields of a config that say how much its base is scaled."""
    if model.rule != "axes":
        return f"config.model.phi={model.phi:g}"
    return ", ".join(
        f"config.model.{axis}={getattr(model, axis):g}" for axis in ("depth", "width", "resolution")
    )


def rule_of(model: ModelSpec) -> Rule:
    """The rule that a config names, with the config's own bases or exponent."""
    if model.rule == "compound":
        return compound_rule(model.alpha, model.beta, model.gamma)
    return dwr(model.exponent) if model.rule == "dwr" else RULES[model.rule]


def _base(model: ModelSpec) -> Sized:
    arch = _named(model)
    changes: dict = {"resolution": model.base_resolution} if model.base_resolution is not None else {}
    if model.auxiliary:
        arch = _with_auxiliary(arch)
    if model.stages:
        arch = _keep_stages(arch, model.stages)
    if model.stem:
        changes["stem"] = model.stem
    if model.strides:
        changes["strides"] = model.strides
    scaled = functools.partial(
        scale, depth=model.base_depth, width=model.base_width, rounding=model.rounding or None
    )
    if model.head or model.output_stride:
        # A head must fit the strides that it will find, and scales with the base
        return scaled(_with_head(arch.replace(**changes), model))
    return scaled(arch).replace(**changes)


def _with_head(base: Sized, model: ModelSpec) -> Sized:
    """The base with the head and the output stride that the config names."""
    if isinstance(base, Custom):
        raise ValueError(  # noqa: TRY004 - as for any other value of a config
            f"config.model.head={model.head!r} and config.model.output_stride={model.output_stride} do not apply to "
            f"{base.family}, a network of your own: leave both out."
        )
    if model.head and model.head not in HEADS:
        raise ValueError(
            f"config.model.head={model.head!r} must be one of {', '.join(HEADS)}{nearest(model.head, HEADS)}."
        )
    changes: dict = {"head": HEADS[model.head], "auxiliary": ()} if model.head else {}
    arch = base.replace(**changes, **({"output_stride": model.output_stride} if model.output_stride else {}))
    if model.head and isinstance(arch.head, BoxHead):
        return arch.replace(head=arch.head.fitted(arch.map_strides, arch.resolution))
    return arch


def _with_auxiliary(arch: Sized) -> Sized:
    if arch.name not in zoo.AUXILIARIES:
        raise ValueError(
            f"config.model.auxiliary: {arch.name} has no classifiers of its training beside; those that have are "
            f"{', '.join(zoo.AUXILIARIES)}."
        )
    return arch.replace(auxiliary=zoo.AUXILIARIES[arch.name])


def _named(model: ModelSpec) -> Sized:
    if model.arch is not None:
        return model.arch
    if is_file(model.name):
        if model.base_resolution is None:
            raise ValueError(
                f"config.model.base_resolution must be set: {model.name} does not say at how many pixels its base is."
            )
        return Custom(load(model.name), model.base_resolution, source=pin(model.name))
    return zoo.get(model.name)


def _keep_stages(arch: Sized, kept: tuple[int, ...]) -> Sized:
    if (
        isinstance(arch, Custom)
        or any(i not in range(len(arch.stages)) for i in kept)
        or list(kept) != sorted(set(kept))
    ):
        raise ValueError(
            f"config.model.stages={kept} must name stages of {arch.name} in order, each once: "
            f"it has {len(arch.stages)}, counted from 0."
        )
    stages = settle(tuple(arch.stages[i] for i in kept), arch.entering)
    moved = (a for a in arch.auxiliary if a.after in kept)
    auxiliary = tuple(dataclasses.replace(a, after=kept.index(a.after)) for a in moved)
    return arch.replace(stages=stages, auxiliary=auxiliary)
