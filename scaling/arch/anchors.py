"""Anchors as values: the boxes that a detector's outputs correct, in the definitions of the papers and peers.

Boxes are x1 y1 x2 y2 in pixels of the network's input, in the order of the flattened outputs: level, row,
column, anchor. They may reach beyond the image, as the peers' do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from scaling.arch.fields import LATER


class Level(NamedTuple):
    """A map that a detector scores: its nominal `stride` in pixels, and its sides."""

    stride: int
    rows: int
    columns: int


@dataclass(frozen=True)
class Anchors:
    """The base: equal boxes about the centre of every place of every level."""

    def counts(self, levels: int) -> tuple[int, ...]:
        """Return the number of anchors a place, for each of so many levels."""
        raise NotImplementedError

    def problem(self) -> str:
        """What is wrong with its fields; "" where nothing is."""
        return ""

    def misfit(self, levels: int) -> str:
        """What keeps it from so many levels; "" where nothing does."""
        del levels
        return ""

    def boxes(self, height: int, width: int, levels: Sequence[Level]) -> np.ndarray:
        """Return float32 (anchors, 4) for images of `height` x `width` pixels."""
        parts = []
        for i, level in enumerate(levels):
            down, right = self._steps(height, width, i, level)
            y = (np.arange(level.rows) + self._offset) * down
            x = (np.arange(level.columns) + self._offset) * right
            halves = self._halves(height, width, i, len(levels), level)
            centres = np.stack(np.broadcast_arrays(x[None, :, None], y[:, None, None]), -1)
            parts.append(np.concatenate([centres - halves, centres + halves], -1).reshape(-1, 4))
        return np.concatenate(parts).astype(np.float32)

    _offset = 0.5  # of a centre within its place

    def _steps(self, height: int, width: int, index: int, level: Level) -> tuple[float, float]:
        """Pixels between places, down and right."""
        del index
        return height / level.rows, width / level.columns

    def _halves(self, height: int, width: int, index: int, levels: int, level: Level) -> np.ndarray:
        """Half the widths and heights of the anchors of a place, (anchors, 2), in pixels."""
        raise NotImplementedError


@dataclass(frozen=True)
class OctaveAnchors(Anchors):
    """EfficientDet's: `scale` strides times 2**(k / octaves), for each by the (x, y) factors `ratios`.

    A stride is the image's side over the map's. Source: google/automl efficientdet/tf2/anchors.py.
    """

    scale: float = 4.0
    octaves: int = 3
    ratios: tuple[tuple[float, float], ...] = ((1.0, 1.0), (1.4, 0.7), (0.7, 1.4))

    def counts(self, levels: int) -> tuple[int, ...]:
        return (self.octaves * len(self.ratios),) * levels

    def problem(self) -> str:
        return _octave_problem(self.scale, self.octaves, [side for ratio in self.ratios for side in ratio])

    def _halves(self, height: int, width: int, index: int, levels: int, level: Level) -> np.ndarray:
        down, right = self._steps(height, width, index, level)
        octaves = 2.0 ** (np.arange(self.octaves) / self.octaves)
        shapes = np.array(self.ratios) * (right, down)
        return (self.scale * octaves[:, None, None] * shapes).reshape(-1, 2) / 2


@dataclass(frozen=True)
class PixelAnchors(Anchors):
    """RetinaNet's as torchvision has them: sides in whole pixels, about the corner of each place.

    For each of `ratios` (height over width) the sizes floor(`scale` * stride * 2**(k / octaves)), where the
    stride is the level's nominal one; or, where `scales` are given, so many strides each.
    Source: arXiv 1708.02002 section 4; torchvision's AnchorGenerator.
    """

    scale: float = 4.0
    octaves: int = 3
    ratios: tuple[float, ...] = (0.5, 1.0, 2.0)
    scales: tuple[float, ...] = field(default=(), metadata=LATER)

    _offset = 0.0

    def counts(self, levels: int) -> tuple[int, ...]:
        return ((len(self.scales) or self.octaves) * len(self.ratios),) * levels

    def problem(self) -> str:
        return _octave_problem(min((self.scale, *self.scales)), self.octaves, self.ratios)

    def _steps(self, height: int, width: int, index: int, level: Level) -> tuple[float, float]:
        del index
        return height // level.rows, width // level.columns

    def _halves(self, height: int, width: int, index: int, levels: int, level: Level) -> np.ndarray:
        octaves = self.scale * 2.0 ** (np.arange(self.octaves) / self.octaves)
        sizes = np.floor(level.stride * np.array(self.scales or octaves))
        roots = np.sqrt(np.array(self.ratios, np.float32))
        shapes = np.stack([1 / roots, roots], -1)
        return np.round(shapes[:, None] * sizes.astype(np.float32)[:, None] / 2).reshape(-1, 2)


@dataclass(frozen=True)
class DefaultBoxes(Anchors):
    """SSD's: a square of a level's scale, one between its scale and the next, and two for each ratio.

    `scales`, fractions of the image, are one for each level and one more; where none are given, they go
    evenly from `least` to `most`, and then 1. `ratios` are those of each level, the last ones for all further
    levels; `steps` are the pixels between places (none: the image's side over the map's). Widths and heights
    are cut at the image's. Source: arXiv 1512.02325 section 2.2; torchvision's DefaultBoxGenerator.
    """

    ratios: tuple[tuple[float, ...], ...] = ((2.0,), (2.0, 3.0), (2.0, 3.0), (2.0, 3.0), (2.0,), (2.0,))
    least: float = 0.15
    most: float = 0.9
    scales: tuple[float, ...] = ()
    steps: tuple[int, ...] = ()

    def counts(self, levels: int) -> tuple[int, ...]:
        return tuple(2 + 2 * len(self._ratios(i)) for i in range(levels))

    def problem(self) -> str:
        sizes = (self.least, self.most, *self.scales, *self.steps, *(r for row in self.ratios for r in row))
        return "" if self.ratios and min(sizes) > 0 else f"needs ratios, and all sizes above 0: {self}."

    def misfit(self, levels: int) -> str:
        if not self.scales or len(self.scales) > levels:
            return ""
        return f"has scales={self.scales}, but {levels} levels need {levels + 1}: one each and one more."

    def _ratios(self, index: int) -> tuple[float, ...]:
        return self.ratios[min(index, len(self.ratios) - 1)]

    def _scales(self, levels: int) -> tuple[float, ...]:
        if not self.scales:
            return (
                (*np.linspace(self.least, self.most, levels), 1.0) if levels > 1 else (self.least, self.most)
            )
        if len(self.scales) <= levels:
            raise ValueError(f"scales={self.scales} must be {levels + 1}: one for each level and one more.")
        return self.scales

    def _steps(self, height: int, width: int, index: int, level: Level) -> tuple[float, float]:
        if index < len(self.steps):
            return self.steps[index], self.steps[index]
        return height / level.rows, width / level.columns

    def _halves(self, height: int, width: int, index: int, levels: int, level: Level) -> np.ndarray:
        scale, following = self._scales(levels)[index : index + 2]
        between = np.sqrt(scale * following)
        shapes = [(scale, scale), (between, between)]
        for root in np.sqrt(self._ratios(index)):
            shapes += [(scale * root, scale / root), (scale / root, scale * root)]
        return np.clip(shapes, 0, 1) * (width, height) / 2


def _octave_problem(scale: float, octaves: int, ratios: Sequence[float]) -> str:
    if octaves >= 1 and min((scale, *ratios), default=0) > 0 and len(ratios):
        return ""
    return f"needs ratios, and scale={scale}, octaves={octaves} and ratios={tuple(ratios)} above 0."


KINDS = (OctaveAnchors, PixelAnchors, DefaultBoxes)
