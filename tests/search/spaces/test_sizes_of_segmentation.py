"""Sizes of a network for segmentation are searched as a classifier's: its head stays, and is counted."""

import itertools

import scaling
from scaling.cost.closed_form import totals
from search.spaces.stages import Sizes

BASE = scaling.get("fcn_resnet50").replace(resolution=64, num_classes=3)


def test_points_keep_the_head_and_are_counted_by_arithmetic():
    space = Sizes(BASE, widths=(0.5, 1.0), depths=(1.0,))
    costs = {}
    for narrow in itertools.product((0, 1), repeat=len(BASE.stages)):
        arch = space.network([choice for width in narrow for choice in (width, 0)])
        assert arch.head == BASE.head and arch.output_stride == BASE.output_stride
        costs[narrow] = totals(arch).macs
    assert costs[1, 1, 1, 1] == totals(BASE).macs == max(costs.values())
    assert min(costs, key=costs.__getitem__) == (0, 0, 0, 0)
