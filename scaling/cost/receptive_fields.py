"""What part of the image each value of a feature map sees."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from scaling.arch.arch import Arch
from scaling.cost.counting import walk
from scaling.models.backbone import StageMaps


@dataclass(frozen=True)
class Field:
    """The receptive fields of a stage's feature map, in pixels, the same for rows and columns.

    Value i sees `size` pixels from pixel `i * stride - padding` on (some of them beyond the image).
    `stage` is a name of `arch.stage_names`.
    """

    stage: str
    stride: int
    size: int
    padding: int

    @property
    def center(self) -> float:
        """The middle of the first value's field, where pixel 0 covers the span from -0.5 to 0.5."""
        return (self.size - 1) / 2 - self.padding


@functools.lru_cache(maxsize=256)
def receptive_fields(arch: Arch) -> tuple[Field, ...]:
    """Return the receptive field of each stage's map: of the stem's stages, then of the others.

    Over all paths; gates by global pooling, which see everything, are left out. With padding "tf" it
    depends on the resolution. Compare Araujo et al., Distill 2019, "Computing Receptive Fields of
    Convolutional Neural Networks".
    """
    shape = (arch.resolution, arch.resolution, arch.in_channels)
    _, _, values = walk(StageMaps(arch, operators="lax"), shape, train=False)
    return tuple(
        Field(name, value.jump[0], value.reach[0], -value.start[0])
        for name, value in zip(arch.stage_names, values)
    )
