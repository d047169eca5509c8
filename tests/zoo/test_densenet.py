"""DenseNets: published sizes, widths that follow from growth and layers, and what scaling reaches."""

import csv
import dataclasses

import pytest

from scaling import zoo
from scaling.arch.blocks import Dense, Transition
from scaling.arch.stages import Stage, settle
from scaling.cost.closed_form import totals
from scaling.cost.counting import count
from scaling.rules.scale import scale

# Millions of parameters as printed: arXiv 1608.06993 Table 2; the wide ones liuzhuang13/DenseNet README.md
CIFAR = {
    "densenet_40_12": 1.0,
    "densenet_100_12": 7.0,
    "densenet_100_24": 27.2,
    "densenet_bc_100_12": 0.8,
    "densenet_bc_250_24": 15.3,
    "densenet_bc_190_40": 25.6,
    "densenet_bc_40_36": 1.5,
    "densenet_bc_40_48": 2.7,
    "densenet_bc_40_60": 4.3,
}


@pytest.mark.parametrize("name", CIFAR)
def test_cifar_densenets_have_the_printed_parameters(name):
    assert round(totals(zoo.get(name)).params / 1e6, 1) == CIFAR[name]


@pytest.mark.parametrize("depth", [121, 161, 169, 201])
def test_imagenet_densenets_equal_torchvision(depth, shared):
    with open(shared / "reference" / "imagenet_models.csv") as file:
        rows = [row for row in csv.DictReader(file) if "torchvision" in row["source"]]
    (row,) = [row for row in rows if row["model"] == f"DenseNet{depth}"]
    cost = totals(zoo.get(f"densenet{depth}"))
    assert cost.params == round(1e6 * float(row["params_m"]))
    assert round(cost.macs / 1e9, 3) == float(row["macs_g"])


def test_layers_are_as_many_as_the_name_says():
    for name in zoo.names("densenet") + zoo.names("cifar_densenet"):
        arch = zoo.get(name)
        depth = int(
            name.removeprefix("densenet_bc_").removeprefix("densenet_").removeprefix("densenet").split("_")[0]
        )
        blocks = [stage.block for stage in arch.stages]
        convolutions = sum(
            b.layers * (2 if b.bottleneck else 1) if isinstance(b, Dense) else 1 for b in blocks
        )
        # with the stem's and the classifier; the layers of the paper's 264 in its Table 1 make 265
        assert convolutions + 2 == depth + (depth == 264), name


def test_width_reaches_the_growth_and_depth_the_layers():
    base = zoo.get("densenet121")
    scaled = scale(base, depth=1.5, width=1.25)
    dense = [(s.block, t.block) for s, t in zip(base.stages, scaled.stages) if isinstance(s.block, Dense)]
    assert [new.growth for _, new in dense] == [40] * 4
    assert [new.layers for _, new in dense] == [9, 18, 36, 24]
    assert all(stage.repeats == 1 for stage in scaled.stages)
    assert scaled.stages == settle(scaled.stages, scaled.entering) and scaled.stem[0].width == 80


@pytest.mark.parametrize("odd", [7, 8, 9])
def test_a_transition_drops_the_odd_last_row_as_torch_does(odd):
    arch = _tiny().replace(resolution=odd)
    layers = {
        layer.name: layer.output_shape for layer in count(arch, layers=True).layers if layer.output_shape
    }
    assert layers["stages_2/first/layer_0/conv"][:2] == (odd // 2, odd // 2)


def test_a_feature_map_too_small_for_a_transition_is_refused():
    with pytest.raises(ValueError, match="resolution=1 leaves no pixel.*at least 2"):
        _tiny().replace(resolution=1)


def test_widths_that_do_not_follow_are_refused():
    arch = _tiny()
    with pytest.raises(ValueError, match="stage 1 has width=9, but 8 follows"):
        arch.replace(stages=(dataclasses.replace(arch.stages[0], width=9), *arch.stages[1:]))
    with pytest.raises(ValueError, match="a Dense does not repeat"):
        arch.replace(stages=(Stage(Dense(2, 2), 12, repeats=2),))


def _tiny():
    stages = (Stage(Dense(2, 2), 1), Stage(Transition(), 1, stride=2), Stage(Dense(2, 3), 1))
    stem = (Stage(dataclasses.replace(zoo.get("densenet_40_12").stem[0].block), 4),)
    return zoo.get("densenet_40_12").replace(stem=stem, stages=settle(stages, 4))
