"""Every name of the zoo: it round-trips, is found, and its variants agree with their relatives."""

import csv

import jax
import numpy as np
import pytest

from scaling import zoo
from scaling.arch.arch import Arch
from scaling.cost.closed_form import totals
from scaling.cost.counting import count
from scaling.models.initialize import abstract_variables
from scaling.models.network import Network
from scaling.rules.scale import scale
from scaling.weights.peer_names import SCHEMES
from scaling.zoo.efficientnet import V1_ROWS


@pytest.mark.parametrize("name", zoo.names())
def test_every_name_round_trips_through_json(name):
    arch = zoo.get(name)
    assert arch.name == name
    assert Arch.from_json(arch.to_json()) == arch
    assert hash(Arch.from_json(arch.to_json())) == hash(arch)
    assert arch.source and arch.weights in ("", *SCHEMES)


def test_families_part_the_names():
    families = {zoo.get(name).family for name in zoo.names()}
    listed = [name for family in families for name in zoo.names(family)]
    assert sorted(listed) == sorted(zoo.names())


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("efficentnet_b0", "efficientnet_b0"), ("resnet-50", "resnet50"), ("wrn2810", "wrn_28_10")],
)
def test_an_unknown_name_is_answered_by_the_nearest(wrong, right):
    with pytest.raises(KeyError, match=f"'{wrong}'.*did you mean .*'{right}'"):
        zoo.get(wrong)


def test_an_unknown_family_is_answered_by_the_nearest():
    with pytest.raises(KeyError, match="did you mean 'efficientnet_lite'"):
        zoo.names("efficientnet-lite")


@pytest.mark.parametrize("suffix", V1_ROWS)
def test_official_sizes_are_b0_scaled_by_the_published_row(suffix):
    width, depth, resolution, dropout = V1_ROWS[suffix]
    named = zoo.get(f"efficientnet_{suffix}")
    ruled = scale(zoo.get("efficientnet_b0"), depth=depth, width=width)
    assert named == ruled.replace(name=named.name, resolution=resolution, drop_rate=dropout)


@pytest.mark.parametrize("name", [name for name in zoo.names() if name.startswith("tf_")])
def test_tf_forms_differ_in_padding_and_epsilon_only(name):
    arch = zoo.get(name)
    assert arch.padding == "tf" and arch.norm.eps == 1e-3
    torch_name = name.removeprefix("tf_")
    if torch_name in zoo.names():
        torch = zoo.get(torch_name)
        assert torch.padding == "torch" and torch.norm.eps == 1e-5
        assert arch.replace(name=torch.name, padding="torch", norm=torch.norm) == torch


@pytest.mark.parametrize("name", ["efficientnet_b0", "efficientnet_lite0"])
def test_padding_changes_no_count(name):
    assert count(zoo.get(f"tf_{name}")) == count(zoo.get(name))


@pytest.mark.parametrize("depth", [20, 110])
def test_option_b_adds_exactly_two_projections(depth):
    free, projected = (totals(zoo.get(f"cifar_resnet{depth}{end}")) for end in ("", "_b"))
    assert projected.params - free.params == 16 * 32 + 32 * 64 + 2 * (32 + 64)


# Millions of parameters and multiply-adds in 10^9 at the training side: timm results-imagenet.csv
RESNET_RS = {
    "resnetrs50": (35.69, 2.29),
    "resnetrs200": (93.21, 20.18),
    "resnetrs420": (191.89, 64.2),
}


@pytest.mark.parametrize("name", RESNET_RS)
def test_resnet_rs_has_the_published_size(name):
    params, macs = RESNET_RS[name]
    cost = totals(zoo.get(name))
    assert round(cost.params / 1e6, 2) == params
    assert cost.macs / 1e9 == pytest.approx(macs, rel=0.01)  # timm's counter adds pooling and norms


# Millions of parameters as printed and as counted: arXiv 1603.05027 Table 4, arXiv 1611.05431 Table 7
CIFAR = {
    "preact_resnet110": (1.7, 1.727962),
    "preact_resnet164": (1.7, 1.703258),
    "preact_resnet1001": (10.2, 10.327706),  # printed a little too small
    "resnext29_8x64d": (34.4, 34.426698),
    "resnext29_16x64d": (68.1, 68.155210),  # printed rounded down
}


@pytest.mark.parametrize("name", CIFAR)
def test_cifar_networks_have_the_printed_parameters(name):
    printed, counted = CIFAR[name]
    assert totals(zoo.get(name)).params == round(1e6 * counted)
    assert counted == pytest.approx(printed, rel=0.02)


# Millions of parameters and multiply-adds in 10^9: facebookresearch/pycls dev/model_complexity.json; timm
# results-imagenet.csv, whose counter adds pooling and norms; facebookresearch/WSL-Images README.md
RESNEXT = {
    "resnext101_32x4d": (44.18, 7.97),
    "resnext152_32x4d": (59.95, 11.71),
    "resnext101_32x16d": (194.03, 36.27),
    "resnext101_32x32d": (468.53, 87.29),
    "resnext101_32x48d": (829, 153),
}


@pytest.mark.parametrize("name", RESNEXT)
def test_resnexts_have_the_published_size(name):
    params, macs = RESNEXT[name]
    cost = totals(zoo.get(name))
    assert cost.params / 1e6 == pytest.approx(params, rel=1e-3)
    assert cost.macs / 1e9 == pytest.approx(macs, rel=6e-3)


def size(arch: Arch) -> int:
    """Parameters by arithmetic, or else of the shapes."""
    if cost := totals(arch):
        return cost.params
    shapes = abstract_variables(Network(arch, operators="lax"), arch.resolution, arch.in_channels)["params"]
    return sum(leaf.size for leaf in jax.tree.leaves(shapes))


def test_parameters_equal_the_peers_goldens(shared):
    checked = []
    for path in sorted((shared / "parity").glob("*.npz")):
        golden = np.load(path, allow_pickle=False)
        name = str(golden["model"]).removeprefix("tv:")
        if name in zoo.names():
            assert size(zoo.get(name)) == int(golden["params"]), name
            checked.append(name)
    assert len(checked) >= 22, checked


def test_seresnets_have_the_published_size(shared):
    with open(shared / "reference" / "imagenet_models.csv") as file:
        published = {row["model"]: float(row["params_m"]) for row in csv.DictReader(file) if row["params_m"]}
    for name in zoo.names("seresnet"):
        if name in published:
            assert round(totals(zoo.get(name)).params / 1e6, 2) == published[name], name
