"""LeNet, AlexNet, ZFNet, NIN, VGG and SqueezeNet: published shapes and sizes, and how they scale."""

import csv
import math

import jax
import numpy as np
import pytest

from experiments.tables.conventions import products
from scaling import zoo
from scaling.arch.arch import Arch
from scaling.arch.blocks import Conv, Fire, MLPConv, Partial
from scaling.arch.head import Head
from scaling.arch.stages import Stage
from scaling.cost.closed_form import totals
from scaling.cost.counting import count
from scaling.models.initialize import initialize
from scaling.models.network import Network
from scaling.rules.scale import compound, scale
from scaling.weights.torch import load_torch, to_torch

NAMES = [
    name for family in ("lenet", "alexnet", "zfnet", "nin", "vgg", "squeezenet") for name in zoo.names(family)
]

# LeNet-5: LeCun et al. 1998 (all maps connected; as printed); AlexNet and VGG-16: the papers, layer by layer;
# alexnet_32: surveys; ZFNet and NIN: counted by hand from the layer list in the table's comment
PARAMS = {
    "lenet5": 61_706,
    "lenet5_1998": 60_000,
    "alexnet_2012": 60_965_224,
    "alexnet_32": 29_617_546,
    "vgg16": 138_357_544,
    # windows * channels in * channels out + biases
    "zfnet": (49 * 3 * 96 + 96)
    + (25 * 96 * 256 + 256)
    + (9 * 256 * 384 + 384)
    + (9 * 384 * 384 + 384)
    + (9 * 384 * 256 + 256)
    + (36 * 256 * 4096 + 4096)
    + (4096 * 4096 + 4096)
    + (4096 * 1000 + 1000),
    "nin_cifar10": (25 * 3 * 192 + 192)
    + (192 * 160 + 160)
    + (160 * 96 + 96)
    + (25 * 96 * 192 + 192)
    + 2 * (192 * 192 + 192)
    + (9 * 192 * 192 + 192)
    + (192 * 192 + 192)
    + (192 * 10 + 10),
}

# Sides and channels of the layers that compute or pool by maximum; averages are not listed
SHAPES = {
    "lenet5": "28x6 10x16 120 84 10",
    "alexnet_2012": "55x96 27x96 27x256 13x256 13x384 13x384 13x256 6x256 4096 4096 1000",
    "alexnet": "55x64 27x64 27x192 13x192 13x384 13x256 13x256 6x256 4096 4096 1000",
    "alexnet_32": "24x96 12x96 12x256 6x256 6x384 6x384 6x256 3x256 4096 4096 10",
    "zfnet": "110x96 55x96 26x256 13x256 13x384 13x384 13x256 6x256 4096 4096 1000",
    "nin_cifar10": "32x192 32x160 32x96 16x96 16x192 16x192 16x192 8x192 8x192 8x10",
    "vgg16": "224x64 224x64 112x64 112x128 112x128 56x128 56x256 56x256 56x256 28x256"
    " 28x512 28x512 28x512 14x512 14x512 14x512 14x512 7x512 4096 4096 1000",
}


def text(shape: tuple[int, ...]) -> str:
    """A map as SIDExCHANNELS, a vector as its width."""
    return str(shape[-1]) if shape[:-1] in ((), (1, 1)) else f"{shape[0]}x{shape[-1]}"


@pytest.mark.parametrize("name", SHAPES)
def test_layers_have_the_published_shapes(name):
    layers = count(zoo.get(name), layers=True).layers
    assert " ".join(text(layer.output_shape) for layer in layers) == SHAPES[name]


@pytest.mark.parametrize("name", PARAMS)
def test_parameters_are_the_published_ones(name):
    assert totals(zoo.get(name)).params == PARAMS[name]


def test_lenets_first_convolution_has_156_parameters():
    assert count(zoo.get("lenet5"), layers=True).layers[0].params == 156


# pixels that one value of the last feature map sees, by the recurrence over windows and strides:
# distill.pub/2019/computing-receptive-fields gives those of AlexNet and VGG-16
@pytest.mark.parametrize(
    ("name", "pixels"), [("alexnet_2012", 195), ("alexnet", 195), ("vgg16", 212), ("lenet5", 16)]
)
def test_the_last_feature_map_sees_the_published_field(name, pixels):
    assert count(zoo.get(name)).receptive_field == pixels


# name here: row of the reference table from the peers' own libraries (parameters in 10^6, multiply-adds
# in 10^9)
ROWS = {f"vgg{n}{end}": f"VGG{n}{end.upper()}" for n in (11, 13, 16, 19) for end in ("", "_bn")}
ROWS |= {"alexnet": "AlexNet", "squeezenet1_0": "SqueezeNet1_0", "squeezenet1_1": "SqueezeNet1_1"}
ROWS |= {"lenet5": "LeNet-5 (MNIST, not ImageNet)"}


@pytest.mark.parametrize("name", ROWS)
def test_counts_equal_the_reference_to_the_printed_digits(name, shared):
    with open(shared / "reference" / "imagenet_models.csv") as file:
        rows = [row for row in csv.DictReader(file) if row["model"] == ROWS[name] and row["macs_g"]]
    row = next(row for row in rows if "torchvision" in row["source"] or name == "lenet5")
    params, macs = row["params_m"], row["macs_g"]
    assert round(totals(zoo.get(name)).params / 1e6, 6) == float(params)
    digits = len(macs.partition(".")[2])
    assert round(products(zoo.get(name)) / 1e9, digits) == float(macs)


def test_alexnets_multiply_adds_are_those_of_the_literature():
    """724 million: arXiv 1703.09039 Table II, which counts the two columns and no bias additions."""
    assert round(products(zoo.get("alexnet_2012")) / 1e6) == 724


@pytest.mark.representatives(4)
@pytest.mark.parametrize("name", NAMES)
def test_width_reaches_every_layer(name):
    wide = scale(zoo.get(name), width=2)
    kernels = [layer.output_shape[-1] for layer in count(wide, layers=True).layers if layer.output_shape]
    narrow = [
        layer.output_shape[-1] for layer in count(zoo.get(name), layers=True).layers if layer.output_shape
    ]
    assert kernels == [2 * n for n in narrow[:-1]] + narrow[-1:]


@pytest.mark.parametrize("name", NAMES)
def test_depth_repeats_layers_and_no_pooling(name):
    arch = zoo.get(name)
    deep = scale(arch, depth=2)
    assert math.prod(deep.strides) == math.prod(arch.strides)
    for old, new in zip(arch.stages, deep.stages):
        computes = isinstance(old.block, Conv | MLPConv | Fire | Partial)
        assert new.repeats == old.repeats * (2 if computes else 1)


@pytest.mark.parametrize("name", ["lenet5", "alexnet", "alexnet_2012", "alexnet_32", "zfnet", "nin_cifar10"])
def test_a_depth_below_one_layer_is_refused(name):
    arch = zoo.get(name)
    with pytest.raises(
        ValueError, match=f"depth=0.5: every stage of {name} has one block.*width or resolution"
    ):
        scale(arch, depth=0.5)
    with pytest.raises(ValueError, match="alpha=1 in compound"):
        compound(arch, -1)
    assert totals(compound(arch, -1, alpha=1)).macs < totals(arch).macs


def test_vgg_becomes_shallower_until_each_stage_has_one_layer():
    shallow = scale(zoo.get("vgg16"), depth=0.4)
    assert [stage.repeats for stage in shallow.stages[::2]] == [1, 2, 2, 2]
    with pytest.raises(ValueError, match="every stage of vgg16 d=0.1 has one block"):
        scale(scale(zoo.get("vgg16"), depth=0.1), depth=0.5)


@pytest.mark.parametrize(
    ("name", "side"), [("alexnet", 63), ("squeezenet1_0", 21), ("vgg16", 32), ("lenet5", 16)]
)
def test_the_smallest_side_is_known_and_kept(name, side):
    """The sides are torchvision's `min_size` of these models; LeNet's by hand: 16-12-6-2-1."""
    arch = zoo.get(name)
    assert scale(arch, resolution=0.01).resolution == side
    with pytest.raises(ValueError, match=f"resolution={side - 1} leaves no pixel.*at least {side}"):
        arch.replace(resolution=side - 1)


def small(name: str) -> Arch:
    """A network of the family that runs in a moment: few channels, the least side that shows every layer."""
    side = {"lenet": 20, "zfnet": 71, "vgg": 36, "alexnet": 71, "nin": 8, "squeezenet": 29}
    arch = scale(zoo.get(name), width=0.1 if zoo.get(name).family != "lenet" else 1.0)
    return arch.replace(resolution=min(arch.resolution, side[arch.family]), num_classes=5)


@pytest.mark.parametrize("name", ["alexnet", "vgg11_bn", "squeezenet1_1"])
def test_a_peers_tensors_survive_a_round_trip_when_scaled(name):
    arch = scale(small(name), depth=2)
    variables = initialize(Network(arch), seed=3)
    again = load_torch(arch, to_torch(arch, variables))
    jax.tree.map(np.testing.assert_array_equal, again, variables)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"head": Head(grid=2)}, "grid and slide are of hidden layers"),
        ({"head": Head(hidden=(8,), per_pixel=True)}, r"drop hidden=\(8,\)"),
        ({"head": Head(hidden=(0,))}, "hidden width or a grid below 1"),
        ({"stem": (Stage(zoo.get("nin_cifar10").stages[1].block, 8),)}, "the stem drops nothing"),
        ({"strides": (1, 2, 1, 2, 1, 1)}, "keeps the side, so its stride must be 1"),
    ],
)
def test_impossible_chains_are_refused(changes, message):
    arch = zoo.get("zfnet" if "strides" not in changes else "alexnet_2012")
    if "strides" in changes:
        changes = {"strides": (4, 2, 2, 1, 1, 2, 1, 1, 1, 2)}
    with pytest.raises(ValueError, match=message):
        arch.replace(**changes)
