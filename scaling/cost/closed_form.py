"""Parameters, statistics, multiply-adds and activations as arithmetic: a network in microseconds.

`counting` walks the network that is built and is what a published figure is compared with; this adds up what
blocks say of themselves, ten thousand times faster, for a search that asks thousands of times.
Conventions are those of `counting`.
"""

from __future__ import annotations

from scaling.arch.arch import Arch, Sized
from scaling.arch.box_heads import BoxHead
from scaling.arch.head import Head
from scaling.arch.maps import last_stages
from scaling.arch.stages import Stage
from scaling.arch.totals import Map, Site, Totals


def totals(arch: Sized) -> Totals | None:
    """Return the sums over the whole network, or None where there is no closed form of it here.

    That is for blocks without one, heads that answer a pixel, auxiliary classifiers, dilated networks and a
    user's own.
    """
    if not isinstance(arch, Arch) or arch.auxiliary or arch.output_stride:
        return None
    sums, maps = Totals(), [Map(arch.in_channels, arch.resolution)]
    for stage in arch.stem + arch.stages:
        channels, side = maps[-1].channels, maps[-1].side
        out = stage.block.side_after(stage.stride, side, arch.padding)
        if not _add_stage(sums, stage, Site(channels, stage.width, side, out, stage.stride)):
            return None
        maps.append(Map(stage.width, out))
    if isinstance(arch.head, Head):
        _add_head(sums, arch.head, maps[-1].channels, maps[-1].side, arch.num_classes)
    elif isinstance(arch.head, BoxHead):
        last = last_stages(arch, arch.head.reads(arch.map_strides)).values()
        sums.add(arch.head.cost([maps[1 + i] for i in last], arch.num_classes, arch.resolution))
    else:
        return None
    return sums


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
    sums.conv(side if head.per_pixel else 1, channels, num_classes, bias=True)
