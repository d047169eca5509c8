"""How a detector's head and resolution grow by the factors of `scaling.rules.factors.Detectors`."""

from __future__ import annotations

import dataclasses
from typing import Any

from scaling.arch.arch import Arch
from scaling.arch.box_heads import BOX_HEADS, BoxHead
from scaling.arch.fields import WIDTH, marked
from scaling.arch.region_heads import TwoStage
from scaling.arch.rounded import round_width
from scaling.rules.factors import DetectorFactors
from scaling.rules.rounding import least_resolution, round_resolution

DIVISOR = 8  # of a neck's widths: google/automl efficientdet


def grown_head(arch: Any, factors: DetectorFactors) -> BoxHead:
    """Return the head of a detector with what the factors add; ValueError where it is no detector's."""
    head = arch.head if isinstance(arch, Arch) else None
    if not isinstance(head, BoxHead):
        raise ValueError(  # noqa: TRY004 - as for any other value of a config
            f"{arch.name}: rule 'efficientdet' scales networks that detect: give it a head "
            f"(config.model.head={' or '.join(map(repr, BOX_HEADS))})."
        )
    changes: dict[str, Any] = {"neck": _grown_neck(head.neck, factors)}
    if (repeats := getattr(head, "repeats", None)) is not None:
        changes["repeats"] = max(1, repeats + factors.repeats)
    if factors.anchors != 1 and (size := getattr(head.priors, "scale", None)) is not None:
        priors: Any = head.priors
        changes["priors"] = dataclasses.replace(priors, scale=size * factors.anchors)
    if isinstance(head, TwoStage):
        changes |= _widened(head, factors) | {
            name: dataclasses.replace(stage, **_widened(stage, factors))
            for name, stage in (("box", head.box), ("masks", head.masks))
            if stage is not None
        }
    return dataclasses.replace(head, **changes)


def _widened(value: Any, factors: DetectorFactors) -> dict[str, Any]:
    """The widths that a value's own fields count, times the factor of necks; None stays."""

    def widen(width: Any) -> Any:
        if isinstance(width, tuple):
            return tuple(map(widen, width))
        return None if width is None else round_width(width * factors.neck_width, DIVISOR)

    if factors.neck_width == 1:
        return {}
    return {name: widen(getattr(value, name)) for name in marked(value, WIDTH)}


def _grown_neck(neck: Any, factors: DetectorFactors) -> Any:
    changes: dict[str, Any] = {"levels": neck.levels + factors.levels, **_widened(neck, factors)}
    if hasattr(neck, "cells"):
        changes["cells"] = max(1, neck.cells + factors.cells)
    if hasattr(neck, "fusion") and factors.fusion:
        changes["fusion"] = factors.fusion
    return dataclasses.replace(neck, **changes)


def grown_resolution(arch: Arch, factor: float) -> int:
    """Scale the side to a multiple of the coarsest level's stride, or of the last map's for small images."""
    assert isinstance(arch.head, BoxHead)
    unit = arch.head.neck.strides(arch.map_strides)[-1]
    if arch.resolution % unit or arch.resolution < 4 * unit:
        unit = arch.map_strides[-1]
    return max(unit * round_resolution(arch.resolution * factor / unit), least_resolution(arch))
