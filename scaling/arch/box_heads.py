"""Heads that score anchors, as values: a neck, towers of convolutions over its levels, boxes to correct.

They take the place of a `Head` in `Arch.head`. Networks of RetinaNet and SSD return "cls_logits" (n, anchors,
classes) and "bbox_regression" (n, anchors, 4); EfficientDet "class_i" (n, h, w, anchors * classes) and
"box_i" (n, h, w, anchors * 4) for each level i. `scaling.models.box_heads.flattened` makes them alike.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from scaling.arch.anchors import Anchors, DefaultBoxes, Level, OctaveAnchors, PixelAnchors
from scaling.arch.fields import DEPTH, marked
from scaling.arch.map_heads import MapHead
from scaling.arch.necks import BiFpn, Extras, Fpn, Neck, outside
from scaling.arch.totals import Map, Totals

if TYPE_CHECKING:
    from scaling.arch.arch import Arch

PRIOR = 0.01  # the probability of an object that classifiers of a focal loss start from: arXiv 1708.02002


@dataclass(frozen=True)
class BoxHead(MapHead):
    """The base: `neck` gives the levels, `priors` the boxes at their places.

    `box_order` is that of the four values of a box, "xyxy" or "yxyx"; `box_weights` divide them. Where class
    0 is the `background`, scores are a softmax, else sigmoids.
    """

    neck: Neck = field(default_factory=Fpn)
    priors: Anchors = field(default_factory=PixelAnchors)

    box_order: ClassVar[str] = "xyxy"
    box_weights: ClassVar[tuple[float, ...]] = (1.0, 1.0, 1.0, 1.0)
    background: ClassVar[bool] = False
    shared: ClassVar[bool] = True  # all levels are scored by the same layers

    def reads(self, strides: tuple[int, ...]) -> tuple[int, ...]:
        return self.neck.reads(strides)

    def problem(self, strides: tuple[int, ...]) -> str:
        del strides
        if type(self.neck) is Neck or type(self.priors) is Anchors:
            return "needs a neck of scaling.arch.necks and priors of scaling.arch.anchors, not their bases."
        if problem := outside(**{name: getattr(self, name) for name in marked(self, DEPTH)}):
            return problem
        if problem := self.neck.problem() or self.priors.problem() or self.priors.misfit(self.neck.levels):
            return problem
        if self.shared and len(set(self.num_anchors)) > 1:
            return f"runs over all levels, so all need the same number of anchors a place, not {self.num_anchors}."
        return ""

    def cost(self, maps: Sequence[Map], classes: int, side: int) -> Totals:
        """Return what it costs to read `maps` and to score all anchors."""
        del side
        sums = Totals()
        levels = self.neck.cost(maps, sums)
        for outputs in (classes, 4):
            self._add_predictions(sums, levels, outputs)
        return sums

    def _add_predictions(self, sums: Totals, levels: Sequence[Map], outputs: int) -> None:
        """Add the layers that predict so many numbers an anchor."""
        raise NotImplementedError

    @property
    def num_anchors(self) -> tuple[int, ...]:
        """Anchors a place, for each level."""
        return self.priors.counts(self.neck.levels)

    def fitted(self, strides: tuple[int, ...], side: int) -> Self:
        """Return the head without the levels of which an image of that side would have less than a pixel."""
        fine = sum(stride <= side for stride in self.neck.strides(strides))
        levels = min(self.neck.levels, max(fine, len(self.reads(strides)), 2))
        return dataclasses.replace(self, neck=dataclasses.replace(self.neck, levels=levels))

    def levels(self, arch: Arch, height: int, width: int) -> tuple[Level, ...]:
        """Return the levels of images of `height` x `width` pixels, finest first."""
        rows, columns = arch.map_sides(height), arch.map_sides(width)
        maps = [(rows[stride], columns[stride]) for stride in self.reads(arch.map_strides)]
        strides = self.neck.strides(arch.map_strides)
        return tuple(Level(stride, *sides) for stride, sides in zip(strides, self.neck.sides(maps)))

    def anchors(self, arch: Arch, height: int, width: int) -> np.ndarray:
        """Return float32 (anchors, 4): x1 y1 x2 y2 in pixels, in the order of the flattened outputs."""
        return self.priors.boxes(height, width, self.levels(arch, height, width))


@dataclass(frozen=True)
class RetinaNet(BoxHead):
    """Two towers of `repeats` 3x3 convolutions, the same for all levels; with `norm` group norm of 32 groups.

    Source: arXiv 1708.02002 section 4; names and details are torchvision's.
    """

    repeats: int = field(default=4, metadata=DEPTH)
    norm: bool = False

    def _add_predictions(self, sums: Totals, levels: Sequence[Map], outputs: int) -> None:
        width, anchors = levels[0].channels, self.num_anchors[0]
        for i, read in enumerate(levels):
            part = Totals()
            for _ in range(self.repeats):
                part.conv(read.side, width, width, 3, bias=not self.norm)
                if self.norm:
                    part.layer_norm(width)
            part.conv(read.side, width, anchors * outputs, 3, bias=True)
            part.params = 0 if i else part.params  # all levels share them
            sums.add(part)


@dataclass(frozen=True)
class EfficientDet(BoxHead):
    """Two towers of `repeats` separable 3x3 convolutions, the same for all levels but for their batch norms.

    `eps` and `momentum` are those of the neck's and towers' norms (None: the network's); with `bias` the
    convolutions of the towers have one before their norm, as in the authors' code.
    Source: arXiv 1911.09070 section 4; names and details are effdet's.
    """

    neck: Neck = field(default_factory=BiFpn)
    priors: Anchors = field(default_factory=OctaveAnchors)
    repeats: int = field(default=3, metadata=DEPTH)
    bias: bool = True
    eps: float | None = None
    momentum: float | None = None

    box_order: ClassVar[str] = "yxyx"

    def _add_predictions(self, sums: Totals, levels: Sequence[Map], outputs: int) -> None:
        width, anchors = levels[0].channels, self.num_anchors[0]
        for i, read in enumerate(levels):
            part = Totals()
            for features, bias in [(width, self.bias)] * self.repeats + [(anchors * outputs, True)]:
                part.conv(read.side, width, width, 3, width)
                part.conv(read.side, width, features, bias=bias)
            part.params = 0 if i else part.params  # all levels share them
            for _ in range(self.repeats):
                part.norm(width)
            sums.add(part)


@dataclass(frozen=True)
class Ssd(BoxHead):
    """A 3x3 convolution a level, or with `separable` a depthwise one, batch norm, `act` and a 1x1.

    `act` is "" for the network's. Source: arXiv 1512.02325 section 2.1, 1801.04381 section 6.2 for SSDLite;
    names and details are torchvision's.
    """

    neck: Neck = field(default_factory=Extras)
    priors: Anchors = field(default_factory=DefaultBoxes)
    separable: bool = False
    act: str = ""

    box_weights: ClassVar[tuple[float, ...]] = (10.0, 10.0, 5.0, 5.0)
    background: ClassVar[bool] = True
    shared: ClassVar[bool] = False

    def _add_predictions(self, sums: Totals, levels: Sequence[Map], outputs: int) -> None:
        for read, anchors in zip(levels, self.num_anchors):
            if self.separable:
                sums.conv_norm(read.side, read.channels, read.channels, 3, read.channels)
            kernel = 1 if self.separable else 3
            sums.conv(read.side, read.channels, anchors * outputs, kernel, bias=True)


# By the names that a config's `model.head` takes
BOX_HEADS: dict[str, BoxHead] = {
    "retinanet": RetinaNet(),
    "retinanet_v2": RetinaNet(norm=True),
    "efficientdet": EfficientDet(),
    "ssd": Ssd(),
    "ssdlite": Ssd(
        Extras(widths=(512, 256, 256, 128), rescale=None, separable=True, act="relu6"),
        DefaultBoxes(((2.0, 3.0),), least=0.2, most=0.95),
        separable=True,
        act="relu6",
    ),
}
KINDS = (RetinaNet, EfficientDet, Ssd)
