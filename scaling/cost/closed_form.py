"""Parameters, statistics, multiply-adds and activations as arithmetic: a network in microseconds.

`counting` walks the network that is built and is what a published figure is compared with; this adds up what
blocks say of themselves, ten thousand times faster, for a search that asks thousands of times.
Conventions are those of `counting`.
"""

from __future__ import annotations

from scaling.arch.arch import Arch, Sized
from scaling.arch.head import LEARNED_CODES, LINEAR, Head
from scaling.arch.stages import FeatureGrid, Stage
from scaling.arch.totals import Map, Site, Totals


def totals(arch: Sized) -> Totals | None:
    """Return the sums over the whole network, or None where there is no closed form of it here.

    That is for blocks and heads without one, dilated windows that lose pixels, auxiliary classifiers,
    sequences and a user's own.
    """
    if not isinstance(arch, Arch) or arch.auxiliary or arch.columns is not None:
        return None
    sums, grids, maps = Totals(), arch.feature_grids, [Map(arch.in_channels, arch.resolution)]
    for stage, grid in zip(arch.stem + arch.stages, grids):
        channels, side = maps[-1].channels, maps[-1].side
        out = _side_after(stage, grid, side, arch.padding)
        if out is None or not _add_stage(sums, stage, Site(channels, stage.width, side, out, stage.stride)):
            return None
        maps.append(Map(stage.width, out, grid.stride))
    if isinstance(arch.head, Head):
        _add_head(sums, arch.head, maps[-1].channels, maps[-1].side, arch.num_classes)
        return sums
    read = [maps[1 + place] for place in arch.head.places(tuple(grid.stride for grid in grids))]
    cost = arch.head.cost(read, arch.num_classes, arch.resolution)
    if cost is None:
        return None
    sums.add(cost)
    return sums


def _side_after(stage: Stage, grid: FeatureGrid, side: int, padding: str) -> int | None:
    """The side of a stage's map; None where dilated windows make it smaller."""
    out = side if grid.traded else stage.block.side_after(stage.stride, side, padding)
    return out if out == side or grid.dilation == 1 else None


def _add_stage(sums: Totals, stage: Stage, first: Site) -> bool:
    """Add the first block and its repeats; False where the block has no closed form."""
    cost = stage.block.cost(first)
    if cost is None:
        return False
    sums.add(cost)
    if stage.repeats > 1:
        width, out = stage.width, first.out
        again = stage.block.keeping_side().cost(Site(width, width, out, out, 1))
        assert again is not None
        sums.add(again, stage.repeats - 1)
    return True


def _add_head(sums: Totals, head: Head, channels: int, side: int, num_classes: int) -> None:
    if head.preact:
        sums.norm(channels)
    if head.width is not None:
        sums.conv_norm(side, channels, head.width)
        channels = head.width
    if head.hidden:
        places, kernel = max(head.grid, side) - head.grid + 1 if head.slide else 1, head.grid
        for width in head.hidden:
            sums.conv(places, channels, width, kernel, bias=True)
            channels, kernel = width, 1
    if head.layer_norm:
        sums.layer_norm(channels)
    if head.output == LINEAR:
        sums.conv(side if head.per_pixel else 1, channels, num_classes, bias=True)
        return
    products = channels * num_classes
    sums.add(Totals(products * (head.output == LEARNED_CODES), 0, products, num_classes))
