"""Networks for segmentation have torchvision's sizes and tensor names, and dilate where torchvision's do."""

import csv

import numpy as np
import pytest

import scaling
from scaling import zoo
from scaling.arch.map_heads import LrAspp
from scaling.cost.closed_form import totals
from scaling.models.initialize import initialize

NAMES = [name for family in ("fcn", "deeplabv3", "lraspp") for name in zoo.names(family)]


def parameters(name: str) -> int:
    """By arithmetic, which tests/cost/test_closed_form.py holds equal to the walk."""
    return totals(zoo.get(name)).params


def test_parameters_are_torchvisions(shared):
    with open(shared / "reference" / "dense_tasks.csv") as file:
        counted = {row["model"]: int(row["params"]) for row in csv.DictReader(file)}
    known = [name for name in NAMES if name in counted]
    assert len(known) == 5
    assert {name: parameters(name) for name in known} == {name: counted[name] for name in known}


def test_a_deeper_body_adds_what_it_adds_to_the_classifier():
    added = parameters("fcn_resnet101") - parameters("fcn_resnet50")
    assert added == parameters("deeplabv3_resnet101") - parameters("deeplabv3_resnet50")
    assert added == parameters("resnet101") - parameters("resnet50")


@pytest.fixture(scope="module")
def lraspp():
    """The network with two classes, and its variables by torchvision's names."""
    arch = zoo.get("lraspp_mobilenet_v3_large").replace(num_classes=2, resolution=32)
    return arch, scaling.to_torch(arch, initialize(scaling.build(arch), seed=1))


def test_a_state_dict_survives_a_round_trip_without_its_auxiliary_classifier(lraspp):
    arch, tensors = lraspp
    also = {"aux_classifier.0.weight": np.zeros((3, 2)), "backbone.0.1.num_batches_tracked": np.zeros(())}
    again = scaling.to_torch(arch, scaling.load_torch(arch, tensors | also))
    assert again.keys() == tensors.keys()
    assert all(np.array_equal(again[name], tensors[name]) for name in tensors)


def test_tensors_have_torchvisions_names(lraspp):
    """As `lraspp_mobilenet_v3_large().state_dict()` lists them, of each kind of part."""
    _, tensors = lraspp
    shapes = {
        "backbone.0.0.weight": (16, 3, 3, 3),
        "backbone.1.block.0.0.weight": (16, 1, 3, 3),
        "backbone.1.block.1.1.running_var": (16,),
        "backbone.2.block.2.0.weight": (24, 64, 1, 1),
        "backbone.4.block.2.fc1.weight": (24, 72, 1, 1),
        "backbone.5.block.3.0.weight": (40, 120, 1, 1),
        "backbone.15.block.1.0.weight": (960, 1, 5, 5),
        "backbone.16.1.bias": (960,),
        "classifier.cbr.0.weight": (128, 960, 1, 1),
        "classifier.scale.1.weight": (128, 960, 1, 1),
        "classifier.low_classifier.weight": (2, 40, 1, 1),
        "classifier.high_classifier.bias": (2,),
    }
    assert {name: tensors[name].shape for name in shapes} == shapes
    assert len(tensors) == 272


def test_the_lite_head_reads_the_block_that_strides_to_8():
    arch = zoo.get("lraspp_mobilenet_v3_large")
    assert isinstance(arch.head, LrAspp)
    finer, last = arch.head.places(tuple(grid.stride for grid in arch.feature_grids))
    assert arch.stage_names[finer] == "stages_3" and arch.stages[3].repeats == 1
    assert arch.stage_names[last] == "stages_9" and arch.map_strides == (2, 4, 8, 16)


def test_a_lite_head_without_its_finer_map_is_refused():
    with pytest.raises(ValueError, match="reads stride 8; the maps before the last have"):
        zoo.get("resnet18").replace(head=LrAspp(), output_stride=4)
