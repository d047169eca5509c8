"""Heads in two stages, as values: anchors that may hold something become boxes, then each box is told.

Such a network returns "objectness" (n, anchors, 1) and "pred_bbox_deltas" (n, anchors, 4) of its first stage;
of its second stage "proposals" (n, r, 4), the boxes that it looked at in pixels (those of no area stand for
none), "class_logits" (n, r, classes), "box_regression" (n, r, 4 * classes), and with masks "mask_logits"
(n, m, side, side, classes) of the first m of them. Class 0 is the background.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from scaling.arch.anchors import Anchors, PixelAnchors
from scaling.arch.box_heads import BoxHead
from scaling.arch.fields import DEPTH, WIDTH
from scaling.arch.necks import Fpn, Neck
from scaling.arch.totals import Map, Totals


@dataclass(frozen=True)
class BoxStage:
    """What tells a box: its values as a grid, 3x3 convolutions of the widths `convs`, with `norm` batch norm,
    fully connected layers of the widths `hidden`, a prediction of classes and one of a box a class.

    Source: arXiv 1504.08083 section 2, 1612.03144 section 4.2; names and details are torchvision's.
    """

    grid: int = 7
    convs: tuple[int, ...] = field(default=(), metadata=WIDTH)
    hidden: tuple[int, ...] = field(default=(1024, 1024), metadata=WIDTH)
    norm: bool = False

    def problem(self) -> str:
        good = min((self.grid, *self.convs, *self.hidden)) >= 1 and self.hidden
        return "" if good else f"needs hidden widths, and all sizes of its box at least 1: {self}."

    def cost(self, channels: int, classes: int, regions: int) -> Totals:
        """Return what it costs to tell so many boxes, of maps with so many channels."""
        each = Totals()
        for width in self.convs:
            each.conv(self.grid, channels, width, 3, bias=not self.norm)
            if self.norm:
                each.norm(width)
            channels = width
        for i, width in enumerate(self.hidden):
            each.conv(1, channels, width, 1 if i else self.grid, bias=True)
            channels = width
        for outputs in (classes, 4 * classes):
            each.conv(1, channels, outputs, bias=True)
        return _for_all(each, regions)


@dataclass(frozen=True)
class MaskStage:
    """What draws a box's mask for every class: a grid, 3x3 convolutions, one that doubles the grid, a 1x1.

    Of the network's own boxes the first `regions` are drawn, of boxes that it is given all.
    Source: arXiv 1703.06870 Figure 4; names and details are torchvision's.
    """

    grid: int = 14
    convs: tuple[int, ...] = field(default=(256, 256, 256, 256), metadata=WIDTH)
    width: int = field(default=256, metadata=WIDTH)
    regions: int = 100

    def problem(self) -> str:
        good = min(self.grid, self.width, self.regions, *self.convs) >= 1
        return "" if good else f"needs all sizes of its masks at least 1: {self}."

    def cost(self, channels: int, classes: int, regions: int) -> Totals:
        """Return what it costs to draw so many boxes, of maps with so many channels."""
        each = Totals()
        for width in self.convs:
            each.conv(self.grid, channels, width, 3, bias=True)
            channels = width
        each.conv(self.grid, channels, 4 * self.width)
        each.params += self.width
        each.macs += 4 * self.grid**2 * self.width
        each.conv(2 * self.grid, self.width, classes, bias=True)
        return _for_all(each, regions)


@dataclass(frozen=True)
class TwoStage(BoxHead):
    """Faster R-CNN over the levels of a neck, and with `masks` Mask R-CNN.

    The first stage, the same for all levels, is `repeats` 3x3 convolutions and two 1x1; of each level the
    `candidates` best of its boxes compete, and `proposals` of those that none overlaps by more than an IoU of
    `overlap` go on to the second stage. That reads the levels that stand for the backbone's maps.
    Source: arXiv 1506.01497, 1612.03144 section 4; names and details are torchvision's.
    """

    neck: Neck = field(default_factory=lambda: Fpn(maps=4, extra="pool"))
    priors: Anchors = field(default_factory=lambda: PixelAnchors(scale=8.0, octaves=1))
    repeats: int = field(default=1, metadata=DEPTH)
    box: BoxStage = field(default_factory=BoxStage)
    masks: MaskStage | None = None
    candidates: int = 1000
    proposals: int = 1000
    overlap: float = 0.7

    box_weights: ClassVar[tuple[float, ...]] = (10.0, 10.0, 5.0, 5.0)
    background: ClassVar[bool] = True

    def problem(self, strides: tuple[int, ...]) -> str:
        if min(self.candidates, self.proposals) < 1 or not 0 < self.overlap <= 1:
            return (
                f"needs candidates and proposals of at least 1 and an overlap in (0, 1], not {self.candidates}, "
                f"{self.proposals} and {self.overlap}."
            )
        return self.box.problem() or (self.masks.problem() if self.masks else "") or super().problem(strides)

    def cost(self, maps: Sequence[Map], classes: int, side: int) -> Totals:
        del side
        sums = Totals()
        levels = self.neck.cost(maps, sums)
        width, anchors = levels[0].channels, self.num_anchors[0]
        for i, read in enumerate(levels):
            part = Totals()
            for _ in range(self.repeats):
                part.conv(read.side, width, width, 3, bias=True)
            for outputs in (1, 4):
                part.conv(read.side, width, anchors * outputs, bias=True)
            part.params = 0 if i else part.params  # all levels share them
            sums.add(part)
        regions = self.regions([read.side**2 * anchors for read in levels])
        sums.add(self.box.cost(width, classes, regions))
        if self.masks:
            sums.add(self.masks.cost(width, classes, min(self.masks.regions, regions)))
        return sums

    def regions(self, anchors: Sequence[int]) -> int:
        """Return how many boxes go on to the second stage, given the number of anchors of each level."""
        return min(self.proposals, sum(min(self.candidates, count) for count in anchors))


def _for_all(each: Totals, regions: int) -> Totals:
    """What it costs to run layers over so many boxes."""
    return Totals(each.params, each.batch_stats, regions * each.macs, regions * each.activations)


# By the names that a config's `model.head` takes; 300 boxes an image as in arXiv 1506.01497
REGION_HEADS: dict[str, TwoStage] = {
    "fasterrcnn": TwoStage(candidates=300, proposals=300),
    "maskrcnn": TwoStage(masks=MaskStage(), candidates=300, proposals=300),
}
KINDS = (TwoStage,)
PARTS = (BoxStage, MaskStage)
