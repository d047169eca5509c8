"""Rules that map an Arch to a larger or smaller one: depth, width, resolution, or all three by phi.

What factors a rule gives is in `scaling.rules.factors`, how scaled sizes become integers in
`scaling.rules.rounding`.
Source: arXiv 1905.11946 (compound scaling).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from scaling.arch.arch import Arch, Sized
from scaling.arch.custom import Custom
from scaling.arch.stages import settle
from scaling.border.typed import nearest
from scaling.rules.detectors import grown_head, grown_resolution
from scaling.rules.factors import (
    RULES,
    Coefficients,
    Detectors,
    Powers,
    Rule,
    Table,
    check_factors,
    compound_rule,
)
from scaling.rules.rounding import (
    ROUNDINGS,
    check_depth,
    deepen,
    deepen_head,
    least_resolution,
    round_resolution,
    widen,
    widen_each,
)

A = TypeVar("A", Arch, Custom, Sized)


def scale(
    arch: A,
    depth: float | Iterable[float] = 1.0,
    width: float | Iterable[float] = 1.0,
    resolution: float = 1.0,
    rounding: str | None = None,
) -> A:
    """Scale each axis by a factor above 0; a factor of 1 leaves its axis exactly as it is.

    `depth` and `width` may be one factor for each of the stages; such factors leave stem and head alone.
    `rounding` (default: the arch's own) names one of `scaling.rules.rounding.ROUNDINGS`. A resolution becomes
    the nearest integer, and does not go below the product of the strides (or the base's own side where that
    is smaller): from there on a stride would act on a single pixel; nor below `Arch.least_side`. Raises
    ValueError for a factor of 0 or below, an unknown rounding, or a depth below 1 where the rounding refuses
    it. A network of the user's own rounds its depth and width by itself.
    """
    depth, width = _listed(depth), _listed(width)
    if isinstance(arch, Custom):
        return _scale_custom(arch, depth, width, resolution, rounding)  # pyright: ignore[reportReturnType]
    depths, widths = _of_stages(arch, "depth", depth), _of_stages(arch, "width", width)
    check_factors(resolution=resolution)
    name = rounding or arch.rounding
    if name not in ROUNDINGS:
        raise ValueError(
            f"rounding={name!r} is not in scaling.rules.rounding.ROUNDINGS{nearest(name, ROUNDINGS) or '.'}"
        )
    deeper = any(factor != 1 for factor in depths)
    wider = any(factor != 1 for factor in widths)
    if not deeper and not wider and resolution == 1 and name == arch.rounding:
        return arch
    rule = ROUNDINGS[name]
    scaled = arch.replace(rounding=name)
    if wider:
        alone = isinstance(width, tuple)
        scaled = widen_each(scaled, widths, rule) if alone else widen(scaled, widths[0], rule)
    if deeper:
        check_depth(arch, max(depths), rule)
        deepened = deepen(arch.stages, scaled.stages, depths, rule)
        scaled = scaled.replace(stages=settle(deepened, scaled.entering))
        if not isinstance(depth, tuple):
            scaled = scaled.replace(head=deepen_head(scaled.head, depth))
    if resolution != 1:
        scaled = scaled.replace(
            resolution=round_resolution(arch.resolution * resolution, least_resolution(arch))
        )
    label = _labelled(arch.name, depths, widths, resolution)
    return scaled.replace(name=label if name == arch.rounding else f"{label} rounding={name}")


def _labelled(name: str, depths: Sequence[float], widths: Sequence[float], resolution: float) -> str:
    """The network's name with the factors that are not 1."""
    labels = [_factor_label("d", list(dict.fromkeys(depths)))] if set(depths) != {1} else []
    if set(widths) != {1}:
        labels.append(_factor_label("w", widths if len(set(widths)) > 1 else widths[:1]))
    labels += [f"r={resolution:.6g}"] if resolution != 1 else []
    return " ".join([name, *labels])


def _factor_label(axis: str, factors: Sequence[float]) -> str:
    return f"{axis}=" + "/".join(f"{factor:.6g}" for factor in factors)


def _scale_custom(
    arch: Custom,
    depth: float | tuple[float, ...],
    width: float | tuple[float, ...],
    resolution: float,
    rounding: str | None,
) -> Custom:
    """Multiply the factors of a user's own network, whose function rounds; the side is rounded here."""
    if rounding or isinstance(depth, tuple) or isinstance(width, tuple):
        what = f"rounding={rounding!r}" if rounding else f"a factor for each stage, {depth=}, {width=},"
        raise ValueError(
            f"{arch.family} is a network of your own, so {what} does not apply: it rounds by itself, and takes one "
            "factor of depth and one of width."
        )
    check_factors(depth=depth, width=width, resolution=resolution)
    if depth == width == resolution == 1:
        return arch
    return arch.replace(
        depth=arch.depth * depth,
        width=arch.width * width,
        resolution=round_resolution(arch.resolution * resolution),
        name=_labelled(arch.name, (depth,), (width,), resolution),
    )


def compound(arch: A, phi: float, alpha: float = 1.2, beta: float = 1.1, gamma: float = 1.15) -> A:
    """Scale depth by alpha**phi, width by beta**phi, resolution by gamma**phi; phi of any sign.

    The defaults are those of arXiv 1905.11946 section 4. phi = 0 is the identity.
    """
    check_factors(alpha=alpha, beta=beta, gamma=gamma)
    return apply(arch, compound_rule(alpha, beta, gamma), phi)


def apply(arch: A, rule: Rule, at: float | str) -> A:
    """Scale by a rule: to `at`, a phi of `Powers` or the name of a `Table`'s size; `Detectors` take either.

    A rule of one axis names the network by its factor, others by phi or size. phi = 0 is the identity.
    """
    if isinstance(rule, Table):
        size = rule.size(str(at))
        scaled = scale(arch, size.depth, size.width, size.resolution)
        return scaled.replace(name=f"{arch.name} {rule.name} {size.name}")
    if isinstance(rule, Detectors):
        return _apply_detectors(arch, rule, at)
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


def _apply_detectors(arch: Any, rule: Detectors, at: float | str) -> Any:
    """Scale the backbone by its factors, and head and resolution by theirs."""
    factors = rule.at(at)
    head = grown_head(arch, factors)
    if at == 0:
        return arch
    label = at if isinstance(at, str) else f"phi={at:.6g}"
    scaled = scale(arch, factors.depth, factors.width)
    resolution = grown_resolution(arch, factors.resolution)
    return scaled.replace(head=head, resolution=resolution, name=f"{arch.name} {rule.name} {label}")


def _label(rule: Powers) -> str:
    return "" if rule.name == "compound" else f"{rule.name} "


def _bases(rule: Powers) -> str:
    """The bases in brackets, where the rule's name alone does not say them."""
    if RULES.get(rule.name) == rule:
        return ""
    return f" ({rule.depth:.6g}, {rule.width:.6g}, {rule.resolution:.6g})"


def coefficients(arch: Sized, rule: Rule, at: float | str) -> Coefficients:
    """The factors over `arch` that `apply` applies; of depths that differ, the one of all blocks together."""
    if isinstance(rule, Powers):
        return rule.factors(float(at))
    if isinstance(rule, Detectors):
        found = rule.at(at)
        side = apply(arch, rule, at).resolution / arch.resolution
        return Coefficients(found.depth, found.width, side, found.phi)
    size = rule.size(str(at))
    depth = size.depth if isinstance(size.depth, float) else apply(arch, rule, at).depth / arch.depth
    return Coefficients(depth, size.width, size.resolution)


def _listed(given: Any) -> float | tuple[float, ...]:
    """Factors in any kind of list as a tuple; a single one as it is."""
    if isinstance(given, Iterable) and not isinstance(given, str):
        return tuple(given)
    factor: Any = given  # checked where its axis is known
    return factor


def _of_stages(arch: Arch, axis: str, given: float | tuple[float, ...]) -> tuple[float, ...]:
    """A factor for each stage."""
    factors = given if isinstance(given, tuple) else (given,) * len(arch.stages)
    if len(factors) != len(arch.stages):
        raise ValueError(
            f"{axis}={factors} has {len(factors)} factors, but {arch.name} has {len(arch.stages)} stages: give "
            "one for each, or a single one for all."
        )
    for factor in factors:
        check_factors(**{axis: factor})
    return factors
