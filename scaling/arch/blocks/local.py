"""What belongs to a place of the image: windows with weights of their own, and parts that are cut out."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

from scaling.arch import padding as windows
from scaling.arch.blocks.base import Block
from scaling.arch.fields import SIDE
from scaling.arch.totals import Site, Totals

Box = tuple[float, float, float, float]  # top, left, height, width, as fractions of the image


@dataclass(frozen=True)
class Local(Block):
    """A k x k window with bias and activation whose weights differ from pixel to pixel: nothing is shared.

    So the parameters grow with the map, and are of one resolution. `pad` as in `Conv`. Source: Y. Taigman et
    al., CVPR 2014 (DeepFace), section 3.
    """

    kernel: int = field(default=3, metadata=SIDE)
    pad: int | None = None

    def keeping_side(self) -> Local:
        return dataclasses.replace(self, pad=None)

    def side_after(self, stride: int, side: int, padding: str) -> int:
        return windows.side_after(side, self.kernel, stride, padding, self.pad)

    def side_before(self, stride: int, side: int, dilation: int = 1) -> int:
        return windows.side_before(side, self.kernel, stride, self.pad, dilation)

    def cost(self, site: Site) -> Totals:
        values = site.out**2 * site.width
        each = (self.kernel**2 * site.channels + 1) * values
        return Totals(each, 0, each, values)


@dataclass(frozen=True)
class Parts(Block):
    """Parts of an image, each resized to `side` x `side` pixels, their channels one after the other.

    Convolutions of as many groups then see one part each: a network with a branch a part. Source: Y. Sun,
    X. Wang and X. Tang, CVPR 2014 (DeepID), section 3.2, whose patches go to a network each.
    """

    boxes: tuple[Box, ...]
    side: int

    @property
    def deepens(self) -> bool:
        return False

    def problem(self, width: int, stride: int) -> str:
        del width
        inside = lambda box: min(box) >= 0 < min(box[2:]) and box[0] + box[2] <= 1 >= box[1] + box[3]
        if not self.boxes or not all(len(box) == 4 and inside(box) for box in self.boxes):
            return f"has boxes={self.boxes}: give (top, left, height, width), fractions that lie inside the image."
        if self.side < 1 or stride != 1:
            return f"has side={self.side} and stride {stride}: parts have at least a pixel, and no stride."
        return ""

    def width_after(self, width: int, channels: int) -> int:
        del width
        return len(self.boxes) * channels

    def side_after(self, stride: int, side: int, padding: str) -> int:
        del stride, side, padding
        return self.side

    def side_before(self, stride: int, side: int, dilation: int = 1) -> int:
        del stride, side, dilation
        return 1

    def cost(self, site: Site) -> None:
        """Resizing is counted on the network itself."""
