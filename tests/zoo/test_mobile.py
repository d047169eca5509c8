"""MobileNets and MnasNets have their published sizes, to the printed digits."""

import csv
import dataclasses

import pytest

from scaling import zoo
from scaling.arch.blocks import Conv
from scaling.cost.closed_form import totals
from scaling.cost.counting import count
from scaling.rules.scale import scale

# Parameters: timm results/results-imagenet.csv, in millions
TIMM = {
    "mobilenetv1_100": 4.23,
    "mobilenetv1_100h": 5.28,
    "mobilenetv1_125": 6.27,
    "mobilenetv3_large_100": 5.48,
    "mobilenetv3_small_050": 1.59,
    "mobilenetv3_small_075": 2.04,
    "tf_mobilenetv3_large_075": 3.99,
    "tf_mobilenetv3_large_minimal_100": 3.92,
    "tf_mobilenetv3_small_100": 2.54,
    "tf_mobilenetv3_small_minimal_100": 2.04,
    "mnasnet_100": 4.38,
    "mnasnet_small": 2.03,
    "semnasnet_075": 2.91,
    "semnasnet_100": 3.89,
}


@pytest.mark.parametrize("name", TIMM)
def test_parameters_are_those_that_timm_prints(name):
    assert round(totals(zoo.get(name)).params / 1e6, 2) == TIMM[name]


# Parameters and multiply-adds in 10^9: torchvision models/mobilenetv3.py and models/mnasnet.py, weights meta.
# torchvision's MNASNets are MnasNet-B1 by the same rule.
TORCHVISION = {
    "mobilenetv3_large_100": (1.0, 5483032, 0.217),
    "mobilenetv3_small_100": (1.0, 2542856, 0.057),
    "mnasnet_050": (0.5, 2218512, 0.104),
    "mnasnet_075": (0.75, 3170208, 0.215),
    "mnasnet_100": (1.0, 4383312, 0.314),
    "mnasnet_130": (1.3, 6282256, 0.526),
}


@pytest.mark.parametrize("name", TORCHVISION)
def test_sizes_equal_torchvisions(name):
    width, params, macs = TORCHVISION[name]
    cost = totals(zoo.get(name) if name in zoo.names() else scale(zoo.get("mnasnet_100"), width=width))
    assert (cost.params, round(cost.macs / 1e9, 3)) == (params, macs)


def test_mnasnet_a1_has_the_published_grid(shared):
    """tensorflow/tpu models/official/mnasnet/README.md; its counter adds 1 to 3 % to the convolutions."""
    with open(shared / "reference" / "nas_results.csv") as file:
        grid = [row for row in csv.DictReader(file) if row["group"] == "mnasnet_grid"]
    assert len(grid) == 25
    for row in grid[::4]:
        *_, resolution, _, _, width = row["method"].split()
        arch = zoo.get(f"semnasnet_{100 * float(width):03.0f}").replace(resolution=int(resolution))
        cost = totals(arch)
        assert round(cost.params / 1e6, 1) == float(row["params_M"]), row["method"]
        assert 1.0 <= float(row["macs_M"]) / (cost.macs / 1e6) <= 1.03, row["method"]


def test_mobilenet_v1_against_full_convolutions_and_a_shallow_one():
    """arXiv 1704.04861 Tables 4 and 5: multiply-adds in 10^6 and parameters in 10^6."""
    v1 = zoo.get("mobilenetv1_100")
    full = tuple(dataclasses.replace(stage, block=Conv(3)) for stage in v1.stages)
    shallow = tuple(dataclasses.replace(s, repeats=1 if s.width == 512 else s.repeats) for s in v1.stages)
    printed = [(v1.stages, 569, 4.2), (full, 4866, 29.3), (shallow, 307, 2.9)]
    for stages, macs, params in printed:
        cost = totals(v1.replace(stages=stages))
        assert round(cost.params / 1e6, 1) == params
        assert cost.macs / 1e6 == pytest.approx(macs, abs=1.5)  # the full form counts 4867.3


# Multiply-adds in 10^9: arXiv 1905.11946 Table 3, recounted from the published layers
@pytest.mark.parametrize(
    ("factors", "giga"),
    [
        ({"width": 2}, 2.22),
        ({"resolution": 2}, 2.27),
        ({"depth": 1.4, "width": 1.2, "resolution": 1.3}, 2.44),
    ],
)
def test_scaled_mobilenet_v1_costs_what_the_compound_scaling_paper_recounts_to(factors, giga):
    macs = totals(scale(zoo.get("mobilenetv1_100"), **factors)).macs / 1e9
    # our compound widths are multiples of 8, so up to 5 % above the exact ones
    assert round(macs, 2) == giga if len(factors) == 1 else 1 <= macs / giga <= 1.02


def test_twice_the_depth_of_mobilenet_v1_is_more_than_twice_the_cost():
    """A repeat has twice the multiply-adds of a stage's first block, half of whose channels come in."""
    v1 = zoo.get("mobilenetv1_100")
    assert 2.1 < totals(scale(v1, depth=2)).macs / totals(v1).macs < 2.25


@pytest.mark.parametrize("name", ["mobilenetv3_large_100", "mobilenetv3_small_100"])
def test_mobilenet_v3_has_the_expansions_and_squeezes_of_the_paper(name):
    layers = {layer.name: layer for layer in count(zoo.get(name), layers=True).layers}

    def widths(kind: str) -> list[int]:
        return [layer.output_shape[-1] for key, layer in layers.items() if key.endswith(f"/{kind}")]

    assert widths("depthwise") == EXPANSIONS[name]
    assert widths("se/reduce") == SQUEEZES[name]


# arXiv 1905.02244 Tables 1 and 2, column "exp size"; a quarter of it, to a multiple of 8, where SE is ticked
EXPANSIONS = {
    "mobilenetv3_large_100": [16, 64, 72, 72, 120, 120, 240, 200, 184, 184, 480, 672, 672, 960, 960],
    "mobilenetv3_small_100": [16, 72, 88, 96, 240, 240, 120, 144, 288, 576, 576],
}
SQUEEZES = {
    "mobilenetv3_large_100": [24, 32, 32, 120, 168, 168, 240, 240],
    "mobilenetv3_small_100": [8, 24, 64, 64, 32, 40, 72, 144, 144],
}


@pytest.mark.parametrize("name", ["mobilenetv3_large_100", "mobilenetv3_small_100"])
def test_narrow_mobilenet_v3_keeps_stem_and_hidden_layer(name):
    base = zoo.get(name)
    narrow, wide = scale(base, width=0.35), scale(base, width=2)
    assert narrow.stem == base.stem and narrow.head.hidden == base.head.hidden
    assert wide.stem[0].width == 32 and wide.head.hidden == tuple(2 * width for width in base.head.hidden)
    assert wide.head.width == 2 * base.head.width
