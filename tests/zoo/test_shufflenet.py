"""ShuffleNets and SNets have their published widths and sizes, and keep their groups when scaled."""

import pytest

from scaling import zoo
from scaling.arch.blocks import ShuffleV1
from scaling.cost.closed_form import totals
from scaling.rules.scale import scale
from scaling.zoo.shufflenet_v1 import CHANNELS

# (groups, size): parameters in 10^6 and multiply-adds in 10^6. megvii-model/ShuffleNet-Series README.md
V1 = {
    (3, "0_5"): (0.7, 38),
    (3, "1_0"): (1.9, 138),
    (3, "1_5"): (3.4, 292),
    (3, "2_0"): (5.4, 524),
    (8, "0_5"): (1.0, 40),
    (8, "1_0"): (2.4, 138),
    (8, "1_5"): (4.3, 290),
    (8, "2_0"): (6.5, 522),
}

# (groups, size): stem and stages. megvii-model/ShuffleNet-Series ShuffleNetV1/network.py
V1_WIDTHS = {
    (3, "0_5"): (12, 120, 240, 480),
    (3, "1_0"): (24, 240, 480, 960),
    (3, "1_5"): (24, 360, 720, 1440),
    (3, "2_0"): (48, 480, 960, 1920),
    (8, "0_5"): (16, 192, 384, 768),
    (8, "1_0"): (24, 384, 768, 1536),
    (8, "1_5"): (24, 576, 1152, 2304),
    (8, "2_0"): (48, 768, 1536, 3072),
}


@pytest.mark.parametrize(("groups", "size"), V1)
def test_v1_has_the_published_widths_and_size(groups, size):
    arch = zoo.get(f"shufflenet_v1_g{groups}_x{size}")
    assert (arch.stem[0].width, *arch.widths) == V1_WIDTHS[groups, size]
    cost = totals(arch)
    params, macs = V1[groups, size]
    assert cost.params / 1e6 == pytest.approx(params, abs=0.06)  # ours have biases in the classifier
    assert cost.macs / 1e6 == pytest.approx(macs, abs=0.6)


# Multiply-adds in 10^6 of every group count: arXiv 1707.01083 Table 2
@pytest.mark.parametrize(("size", "macs"), [("1_0", 140), ("0_5", 38), ("0_25", 13)])
@pytest.mark.parametrize("groups", CHANNELS)
def test_v1_costs_the_same_with_any_number_of_groups(groups, size, macs):
    assert totals(zoo.get(f"shufflenet_v1_g{groups}_x{size}")).macs / 1e6 == pytest.approx(macs, rel=0.12)


@pytest.mark.parametrize("groups", CHANNELS)
@pytest.mark.parametrize("rounding", ["shufflenet", "efficientnet"])
@pytest.mark.parametrize("width", [0.1, 0.37, 1.1, 1.7])
def test_v1_groups_divide_every_grouped_convolution(groups, rounding, width):
    arch = scale(zoo.get(f"shufflenet_v1_g{groups}_x1_0"), width=width, rounding=rounding)
    reached = arch.stem[-1].width
    for stage in arch.stages:
        assert isinstance(stage.block, ShuffleV1)
        assert stage.width % (4 * groups) == 0 and (stage.width - reached) % groups == 0
        assert stage.width > reached
        reached = stage.width


# Parameters and multiply-adds in 10^9: torchvision models/shufflenetv2.py, weights meta
V2 = {
    "shufflenet_v2_x0_5": (1366792, 0.040),
    "shufflenet_v2_x1_0": (2278604, 0.145),
    "shufflenet_v2_x1_5": (3503624, 0.296),
    "shufflenet_v2_x2_0": (7393996, 0.583),
}


@pytest.mark.parametrize("name", V2)
def test_v2_sizes_equal_torchvisions(name):
    cost = totals(zoo.get(name))
    params, macs = V2[name]
    assert cost.params == params
    assert cost.macs / 1e9 == pytest.approx(macs, abs=6e-4)


@pytest.mark.parametrize("width", [0.1, 0.37, 0.5, 1.1, 1.7])
def test_v2_halves_stay_whole(width):
    arch = scale(zoo.get("shufflenet_v2_x1_0"), width=width)
    assert not any(stage.width % 2 for stage in arch.stages)
    assert arch.head.width == max(1024, round(1024 * width / 4) * 4)


# Multiply-adds in 10^6 at 224 px by count. The names say 49, 146 and 535: the first two are not explained.
@pytest.mark.parametrize(("name", "macs"), [("snet49", 51.2), ("snet146", 161.1), ("snet535", 535.4)])
def test_an_snet_has_about_the_multiply_adds_of_its_name(name, macs):
    counted = totals(zoo.get(name)).macs / 1e6
    assert round(counted, 1) == macs
    assert counted == pytest.approx(float(name.removeprefix("snet")), rel=0.11)
