"""The layers of the first convolutional networks: subsampling that learns, maps that read some maps only."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from dataclasses import dataclass, field

from scaling.arch import padding as windows
from scaling.arch.blocks.base import Block
from scaling.arch.blocks.pool import Pool
from scaling.arch.fields import LATER
from scaling.arch.totals import Site, Totals


@dataclass(frozen=True)
class Subsampling(Pool):
    """Average pooling, times a coefficient and plus a bias that each channel learns, then the activation.

    The paper multiplies the sum of a window, here its mean is. Source: LeCun et al. 1998, section II.B.
    """

    op: str = "avg"

    def cost(self, site: Site) -> Totals:
        return Totals(params=2 * site.width)


@dataclass(frozen=True)
class Part:
    """Convolutions of equal shape: group g of `outputs` reads group g of `inputs`; channels by number."""

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    groups: int


@dataclass(frozen=True)
class Partial(Block):
    """A k x k convolution with bias and activation of which a map reads the maps that `table` lists for it.

    Other numbers of channels are shared out over the table's in their order: twice as many are two for each.
    `pad` as in `Conv`. Source: LeCun et al. 1998, section II.B and Table I.
    """

    table: tuple[tuple[int, ...], ...]
    kernel: int = 5
    pad: int | None = field(default=None, metadata=LATER)

    @property
    def listed(self) -> int:
        """How many maps the table reads."""
        return 1 + max(max(row) for row in self.table)

    def problem(self, width: int, stride: int) -> str:
        del width, stride
        good = self.table and all(row and min(row) >= 0 for row in self.table)
        return (
            "" if good else f"has table={self.table}: list at least one map, from 0 on, for each of its maps."
        )

    def keeping_side(self) -> Partial:
        return dataclasses.replace(self, pad=None)

    def side_after(self, stride: int, side: int, padding: str) -> int:
        return windows.side_after(side, self.kernel, stride, padding, self.pad)

    def side_before(self, stride: int, side: int, dilation: int = 1) -> int:
        return windows.side_before(side, self.kernel, stride, self.pad, dilation)

    def parts(self, channels: int, width: int) -> tuple[Part, ...]:
        """Return the grouped convolutions that make `width` maps of `channels`."""
        alike: dict[tuple[int, int], list[tuple[list[int], list[int]]]] = defaultdict(list)
        for i, row in enumerate(self.table):
            inputs = sorted(n for place in row for n in _share(place, self.listed, channels, fill=True))
            outputs = _share(i, len(self.table), width, fill=False)
            inputs = list(dict.fromkeys(inputs))
            if outputs:
                alike[len(inputs), len(outputs)].append((inputs, outputs))
        join = lambda rows, which: tuple(n for row in rows for n in row[which])
        return tuple(Part(join(rows, 0), join(rows, 1), len(rows)) for rows in alike.values())

    def cost(self, site: Site) -> Totals:
        sums = Totals()
        for part in self.parts(site.channels, site.width):
            sums.conv(site.out, len(part.inputs), len(part.outputs), self.kernel, part.groups, bias=True)
        return sums


def _share(place: int, places: int, count: int, fill: bool) -> list[int]:
    """Return which of `count` channels stand for one of the table's; with `fill` at least one does."""
    if fill and count < places:
        return [place * count // places]
    return [n for n in range(count) if n * places // count == place]
