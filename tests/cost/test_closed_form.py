"""What heads and dilated bodies say of their cost is what a walk over the network counts."""

import pytest

import scaling
from scaling.arch.arch import Arch
from scaling.arch.blocks import Conv, MBConv, Pool
from scaling.arch.map_heads import UPSAMPLINGS, Aspp, Fcn, LrAspp, MapHead, UNet
from scaling.arch.stages import Stage
from scaling.cost.closed_form import totals
from scaling.cost.counting import count
from scaling.zoo import segmentation

SMALL = scaling.get("cifar_resnet20").replace(num_classes=3, resolution=17)
HEADS = {
    "fcn": Fcn(),
    "skips": Fcn(width=8, skips=(2, 1)),
    "aspp": Aspp(8, rates=(1, 2), last=12),
    "lraspp": LrAspp(8, low=2),
} | {how: UNet((8, 4), convs=1, upsampling=how) for how in UPSAMPLINGS}


def assert_counted(arch: Arch) -> None:
    walked, sums = count(arch), totals(arch)
    for figure in ("params", "batch_stats", "macs", "activations"):
        assert getattr(sums, figure) == getattr(walked, figure), (arch.name, figure)


@pytest.mark.representatives("skips", "aspp", "lraspp", "bilinear", "shuffle")
@pytest.mark.parametrize("name", HEADS)
def test_a_head_costs_what_is_counted(name):
    assert_counted(SMALL.replace(head=HEADS[name]))


@pytest.mark.parametrize("head", ["aspp", "bilinear", "transposed"])
@pytest.mark.parametrize("side", [8, 33])
def test_a_map_of_a_pixel_and_one_that_pooling_cut_cost_what_is_counted(head, side):
    pooled = Stage(Pool("max", 2, pad=0), 16, stride=2)  # from 33 pixels to 16
    stages = (pooled, Stage(Conv(), 16, stride=2), pooled) if side == 33 else (pooled, pooled, pooled)
    assert_counted(SMALL.replace(stages=stages, head=HEADS[head], resolution=side))


@pytest.mark.representatives("fcn_resnet50", "lraspp")
@pytest.mark.parametrize("name", segmentation.ARCHS)
def test_networks_for_segmentation_cost_what_is_counted(name):
    assert_counted(segmentation.ARCHS[name].replace(resolution=75))


@pytest.mark.parametrize(
    "family", ["resnet", "resnet_rs", "convnext", "densenet", "ghostnet", "shufflenet_v2"]
)
@pytest.mark.nightly
def test_a_dilated_network_costs_what_is_counted(family):
    smallest = min(map(scaling.get, scaling.names(family)), key=lambda arch: arch.depth)
    assert_counted(smallest.replace(output_stride=8, resolution=75))


@pytest.mark.parametrize("padding", ["torch", "tf"])
@pytest.mark.parametrize("block", [Conv(dilation=2), MBConv(expand=2, dilation=2)])
def test_a_window_both_dilated_and_strided_costs_what_is_counted(block, padding):
    assert_counted(SMALL.replace(stages=(Stage(block, 8, stride=2),), resolution=16, padding=padding))


def test_dilated_windows_that_lose_pixels_are_walked():
    stages = (Stage(Pool("max", 2), 8, stride=2), Stage(Conv(3, pad=0), 8))
    arch = Arch("valid", "tests", (Stage(Conv(), 8),), stages, Fcn(), 16, 3, output_stride=1)
    assert (
        totals(arch) is None
        and totals(arch.replace(output_stride=None)).macs == count(arch.replace(output_stride=None)).macs
    )


def test_a_head_that_says_nothing_of_its_cost_is_walked(monkeypatch):
    monkeypatch.setattr(Fcn, "cost", MapHead.cost)
    assert totals(SMALL.replace(head=Fcn())) is None


def test_a_budget_of_a_network_for_segmentation_is_met_by_arithmetic():
    base = scaling.get("lraspp_mobilenet_v3_large")
    solution = scaling.solve(base, macs=1e9)
    assert abs(solution.relative_error) < 0.03 and solution.achieved == totals(solution.arch).macs
    assert scaling.compound(base, phi=0) == base
