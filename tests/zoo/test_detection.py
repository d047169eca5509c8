"""Detectors: their peers' parameters, and what a value of the zoo must be."""

import csv
import functools

import jax
import pytest

from scaling import zoo
from scaling.arch.arch import Arch
from scaling.cost.closed_form import totals
from scaling.cost.counting import count
from scaling.models.initialize import abstract_variables
from scaling.models.network import build
from scaling.weights.peer_names import SCHEMES, places
from scaling.zoo.detection import ARCHS


@pytest.mark.parametrize("name", ARCHS)
def test_every_name_round_trips_through_json(name):
    arch = zoo.get(name)
    assert arch.name == name and name in zoo.names(arch.family)
    assert Arch.from_json(arch.to_json()) == arch
    assert arch.source and arch.weights in SCHEMES


@functools.cache
def variables(name: str):
    """Shapes do not follow the side, and a small one has as many layers to trace."""
    return abstract_variables(build(zoo.get(name).replace(resolution=64)), 64, 3)


@pytest.mark.representatives(
    "retinanet_resnet50_fpn_v2", "ssd300", "ssdlite", "maskrcnn", "tf_efficientdet_lite0", night=8
)
@pytest.mark.parametrize("name", [name for name in ARCHS if not name.startswith("efficientdet")])
def test_parameters_are_the_peers(name, shared):
    with open(shared / "reference" / "dense_tasks.csv") as file:
        published = {row["model"]: int(row["params"]) for row in csv.DictReader(file)}
    # effdet 0.4.1's and torchvision 0.28's, counted
    published |= {"tf_efficientdet_lite3x": 9_280_862, "maskrcnn_resnet50_fpn_v2": 46_359_409}
    assert sum(leaf.size for leaf in jax.tree.leaves(variables(name)["params"])) == published[name]


@pytest.mark.representatives(
    "retinanet_resnet50_fpn_v2", "ssd300", "ssdlite", "tf_efficientdet_lite0", night=8
)
@pytest.mark.parametrize("name", ARCHS)
def test_every_array_has_one_name_of_the_peer_s(name):
    shapes = {
        tuple(entry.key for entry in path): leaf.shape
        for path, leaf in jax.tree_util.tree_leaves_with_path(variables(name))
    }
    names = [place.peer for place in places(zoo.get(name), shapes)]
    assert len(set(names)) == len(names)


@pytest.mark.representatives("ssdlite", night=8)
@pytest.mark.parametrize("name", ARCHS)
def test_the_closed_form_counts_what_the_walk_counts(name):
    arch = zoo.get(name).replace(resolution=150)
    sums, walked = totals(arch), count(arch)
    for figure in ("params", "batch_stats", "macs", "activations"):
        assert getattr(sums, figure) == getattr(walked, figure), figure


def test_ssd300_scores_8732_boxes_and_ssdlite320_3234():
    for name, boxes in (("ssd300_vgg16", 8732), ("ssdlite320_mobilenet_v3_large", 3234)):
        arch = zoo.get(name)
        assert arch.head.anchors(arch, arch.resolution, arch.resolution).shape == (boxes, 4)
