"""Heads in two stages, as values: anchors that may hold something become boxes, then each box is told.

Such a network returns "objectness" (n, anchors, 1) and "pred_bbox_deltas" (n, anchors, 4) of its first stage;
of its second stage "proposals" (n, r, 4), the boxes that it looked at in pixels (those of no area stand for
none), "class_logits" (n, r, classes), "box_regression" (n, r, 4 * classes), or (n, r, 4) of stages that tell
boxes without regard to their class; with masks "mask_logits" (n, m, side, side, classes) of the first m of
them, and where duplicates are told "unique_logits" (n, r, classes - 1). Class 0 is the background.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from scaling.arch import region_stages
from scaling.arch.anchors import Anchors, PixelAnchors
from scaling.arch.box_heads import BoxHead
from scaling.arch.fields import DEPTH, WIDTH
from scaling.arch.necks import Context, Fpn, Neck
from scaling.arch.region_stages import (
    BoxStage,
    LightHead,
    MaskStage,
    RegionStage,
    ScoreMaps,
    SpatialPyramid,
    Unique,
)
from scaling.arch.totals import Map, Totals


@dataclass(frozen=True)
class TwoStage(BoxHead):
    """Faster R-CNN over the levels of a neck; other `box` stages make it R-FCN and more, `masks` Mask R-CNN.

    The first stage, the same for all levels, is `repeats` 3x3 convolutions (or depthwise 5x5 and 1x1 ones of
    a width `separable`), and two 1x1; of each level the `candidates` best of its boxes compete, and
    `proposals` of those that none overlaps by more than an IoU of `overlap` go on to the second stage. That
    reads the levels that stand for the backbone's maps, with `attention` times a gate of the first stage's
    features (ThunderNet, arXiv 1903.11752 section 3.3). Source: arXiv 1506.01497, 1612.03144 section 4; names
    and details are torchvision's.
    """

    neck: Neck = field(default_factory=lambda: Fpn(maps=4, extra="pool"))
    priors: Anchors = field(default_factory=lambda: PixelAnchors(scale=8.0, octaves=1))
    repeats: int = field(default=1, metadata=DEPTH)
    separable: int | None = field(default=None, metadata=WIDTH)
    attention: bool = False
    box: RegionStage = field(default_factory=BoxStage)
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
        if not isinstance(self.box, RegionStage) or type(self.box) in (RegionStage, MaskStage):
            return "needs a box stage of scaling.arch.region_stages that tells boxes."
        if self.separable is not None and self.separable < 1:
            return (
                f"has separable={self.separable}, which must be at least 1, or None for plain convolutions."
            )
        return self.box.problem() or (self.masks.problem() if self.masks else "") or super().problem(strides)

    def cost(self, maps: Sequence[Map], classes: int, side: int) -> Totals:
        del side
        sums = Totals()
        levels = self.neck.cost(maps, sums)
        anchors = self.num_anchors[0]
        for i, read in enumerate(levels):
            part = Totals()
            features = self._features(part, read)
            for outputs in (1, 4):
                part.conv(read.side, features, anchors * outputs, bias=True)
            part.params = 0 if i else part.params  # all levels share them
            sums.add(part)
            if self.attention and i < len(maps):
                sums.conv_norm(read.side, features, read.channels)
        regions = self.regions([read.side**2 * anchors for read in levels])
        for stage in (self.box, self.masks):
            if stage:
                sums.add(stage.cost(levels, classes, regions))
        return sums

    def _features(self, part: Totals, read: Map) -> int:
        """Add the first stage's convolutions of a level, and return the width that they leave."""
        features = read.channels
        for _ in range(self.repeats):
            if self.separable is None:
                part.conv(read.side, features, features, 3, bias=True)
                continue
            part.conv(read.side, features, features, 5, features)
            part.conv(read.side, features, self.separable, bias=True)
            features = self.separable
        return features

    def regions(self, anchors: Sequence[int]) -> int:
        """Return how many boxes go on to the second stage, given the number of anchors of each level."""
        return min(self.proposals, sum(min(self.candidates, count) for count in anchors))


# By the names that a config's `model.head` takes; 300 boxes an image as in arXiv 1506.01497. Of the backbone
# they read three maps, as the heads in one stage do, with anchors of half as many strides then; those that
# read the finest level only, two.
SINGLE = PixelAnchors(scale=4.0, octaves=1)
DOUBLE = PixelAnchors(scales=(2.0, 4.0))  # things whose masks are told may be small
FIVE = PixelAnchors(scales=(2.0, 4.0, 8.0, 16.0, 32.0), ratios=(0.5, 0.75, 1.0, 4 / 3, 2.0))
REGION_HEADS: dict[str, TwoStage] = {
    "fasterrcnn": TwoStage(Fpn(extra="pool"), SINGLE, candidates=300, proposals=300),
    "maskrcnn": TwoStage(Fpn(extra="pool"), DOUBLE, masks=MaskStage(), candidates=300, proposals=300),
    "relation": TwoStage(
        Fpn(extra="pool"), SINGLE, box=BoxStage(relations=16), candidates=300, proposals=300
    ),
    "relation_unique": TwoStage(
        Fpn(extra="pool"),
        SINGLE,
        box=BoxStage(relations=16, unique=Unique()),
        candidates=300,
        proposals=300,
    ),
    "sppnet": TwoStage(Fpn(4, 2, extra="pool"), SINGLE, box=SpatialPyramid(), candidates=300, proposals=300),
    "rfcn": TwoStage(Fpn(4, 2, extra="pool"), SINGLE, box=ScoreMaps(), candidates=300, proposals=300),
    "lighthead": TwoStage(Fpn(4, 2, extra="pool"), SINGLE, box=LightHead(), candidates=300, proposals=300),
    "thundernet": TwoStage(
        Context(),
        FIVE,
        separable=256,
        attention=True,
        box=LightHead(thin=5, kernel=1, hidden=(1024,)),
        candidates=600,
        proposals=200,
    ),
}
KINDS = (TwoStage,)
PARTS = region_stages.KINDS
