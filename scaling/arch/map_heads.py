"""Heads that answer for every place of an image, as values: which maps they read and what they make of them.

They take the place of a `Head` in `Arch.head`; the network then returns {"out": (n, h, w, classes)}.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from scaling.arch.fields import DEPTH, WIDTH

UPSAMPLINGS = ("bilinear", "nearest", "transposed", "shuffle")


@dataclass(frozen=True)
class MapHead:
    """The base: reads the last map, and refuses nothing."""

    def reads(self, strides: tuple[int, ...]) -> tuple[int, ...]:
        """Of the strides of a network's maps, finest first, return those whose maps it reads."""
        return strides[-1:]

    def problem(self, strides: tuple[int, ...]) -> str:
        """What keeps it from a network with maps of these strides; "" where nothing does."""
        del strides
        return ""


@dataclass(frozen=True)
class Fcn(MapHead):
    """A 3x3 convolution, dropout and classes a pixel; maps of the strides `skips` add scores of their own.

    `width` is that of the convolution (None: a quarter of its input). FCN-16 has skips=(16,), FCN-8 (16, 8).
    Source: arXiv 1411.4038 for the skips, torchvision's FCNHead for the rest.
    """

    width: int | None = field(default=None, metadata=WIDTH)
    skips: tuple[int, ...] = ()
    drop_rate: float = 0.1

    def reads(self, strides: tuple[int, ...]) -> tuple[int, ...]:
        return (*sorted(self.skips), strides[-1])

    def problem(self, strides: tuple[int, ...]) -> str:
        wrong = [stride for stride in self.skips if stride not in strides[:-1]]
        return f"skips stride {wrong[0]}; the maps before the last have {strides[:-1]}." if wrong else ""


@dataclass(frozen=True)
class Aspp(MapHead):
    """DeepLabV3's head: convolutions of several dilations and the mean, side by side, then joined.

    Source: arXiv 1706.05587 section 3.3; for networks with an `output_stride` of 8 or 16.
    """

    width: int = field(default=256, metadata=WIDTH)
    rates: tuple[int, ...] = (12, 24, 36)
    drop_rate: float = 0.5


@dataclass(frozen=True)
class UNet(MapHead):
    """A decoder that goes up through all maps to stride `finest`, and to the image from there.

    At every map: upsampling, the map beside it, `convs` 3x3 convolutions. `widths` go from the coarsest step
    to the finest; the last one serves for more steps. `upsampling` is bilinear, nearest, transposed (a 2x2
    transposed convolution) or shuffle (a 3x3 convolution and sub-pixels). Source: arXiv 1505.04597."""

    widths: tuple[int, ...] = field(default=(256, 128, 64, 32), metadata=WIDTH)
    convs: int = field(default=2, metadata=DEPTH)
    upsampling: str = "bilinear"
    finest: int = 1

    def reads(self, strides: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(stride for stride in strides if stride >= self.finest)

    def problem(self, strides: tuple[int, ...]) -> str:
        if self.upsampling not in UPSAMPLINGS:
            return f"has upsampling={self.upsampling!r}: choose one of {', '.join(UPSAMPLINGS)}."
        if min((*self.widths, self.convs, len(self.widths)), default=0) < 1:
            return f"needs widths and convs of at least 1, not {self.widths} and {self.convs}."
        return "" if self.reads(strides) else f"reads strides from {self.finest} on; the maps have {strides}."


# By the names that a config's `model.head` takes
MAP_HEADS: dict[str, MapHead] = {
    "fcn": Fcn(),
    "fcn16": Fcn(skips=(16,)),
    "fcn8": Fcn(skips=(16, 8)),
    "deeplabv3": Aspp(),
    "unet": UNet(),
}
KINDS = (Fcn, Aspp, UNet)
