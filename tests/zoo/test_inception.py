"""Inception and Xception: published sizes and sides, what scales, and one function however it runs."""

import csv
import dataclasses
import math
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scaling import zoo
from scaling.arch.arch import Arch
from scaling.arch.blocks import Conv, Filter, Fork, Inception, Pool, Xception
from scaling.arch.head import Auxiliary, Head
from scaling.arch.stages import Stage, settle
from scaling.cost.counting import count
from scaling.models.initialize import initialize
from scaling.models.network import Network
from scaling.rules.scale import scale
from scaling.runs.resolve import resolve
from scaling.runs.spec import ModelSpec
from scaling.zoo.inception_v3 import AUXILIARY

NAMES = zoo.names("inception") + zoo.names("xception")


@pytest.fixture(scope="module")
def published(shared):
    with open(shared / "reference" / "imagenet_models.csv") as file:
        return [row for row in csv.DictReader(file) if row["family"] in ("Inception", "Xception")]


TIMM = ["inception_v3", "inception_v4", "inception_resnet_v2"]
TIMM += ["legacy_xception", "xception41", "xception65", "xception71"]


@pytest.mark.representatives(3)
@pytest.mark.parametrize("name", TIMM)
def test_sizes_are_timms(name, published):
    row = next(row for row in published if row["model"] == name and row["macs_g"])
    cost = count(zoo.get(name))
    assert round(cost.params / 1e6, 2) == float(row["params_m"])
    added = float(row["macs_g"]) - cost.macs / 1e9  # timm's counter adds pooling and norms
    assert -0.005 < added < 0.01 * float(row["macs_g"])


def torchvision(published, model: str) -> tuple[int, float]:
    (row,) = [row for row in published if row["model"] == model and "torchvision" in row["source"]]
    return round(1e6 * float(row["params_m"])), float(row["macs_g"])


def test_googlenet_is_torchvisions_with_and_without_auxiliary_classifiers(published):
    whole = count(zoo.get("googlenet"))
    bare = count(zoo.get("googlenet").replace(auxiliary=()))
    assert (bare.params, round(bare.macs / 1e9, 3)) == torchvision(published, "GoogLeNet")
    assert whole.params == 13_004_888 and whole.macs == bare.macs


def test_inception_v3_with_its_auxiliary_classifier_is_torchvisions(published):
    cost = count(zoo.get("inception_v3").replace(auxiliary=AUXILIARY))
    assert (cost.params, round(cost.macs / 1e9, 3)) == torchvision(published, "Inception_V3")


@pytest.mark.parametrize(
    ("name", "model", "scales"),
    [
        ("inception_v3", "Keras InceptionV3", False),
        ("inception_resnet_v2", "Keras InceptionResNetV2", False),
        ("legacy_xception", "Keras Xception", True),
    ],
)
def test_sizes_with_statistics_are_those_of_keras(name, model, scales, published):
    """Keras counts running statistics, and its Inceptions have norms without a scale."""
    (row,) = [row for row in published if row["model"] == model]
    cost = count(zoo.get(name))
    absent = 0 if scales else cost.batch_stats // 2
    assert cost.params_with_bn_stats - absent == round(1e6 * float(row["params_m"]))


# arXiv 1409.4842 Table 1: output side and channels, millions of multiply-adds. Not its first row: 34 million,
# where a 7x7 convolution of 3 to 64 channels at 112x112 has 118; nor that of 5a: 54, where its widths make 51
TABLE_1 = {
    "stem_4": (56, 192, None),
    "stages_0": (28, 256, 128),
    "stages_1": (28, 480, 304),
    "stages_3": (14, 512, 73),
    "stages_4": (14, 512, 88),
    "stages_5": (14, 512, 100),
    "stages_6": (14, 528, 119),
    "stages_7": (14, 832, 170),
    "stages_9": (7, 832, None),
    "stages_10": (7, 1024, 71),
}


def test_inception_v1_has_the_layers_of_the_papers_table():
    arch = zoo.get("inception_v1")
    named = {f"stem_{i}": s for i, s in enumerate(arch.stem)}
    named |= {f"stages_{i}": s for i, s in enumerate(arch.stages)}
    layers = count(arch, layers=True).layers
    for name, (side, width, mega) in TABLE_1.items():
        inside = [layer for layer in layers if layer.name.startswith(f"{name}/") and layer.kind == "conv"]
        assert (inside[-1].output_shape[0], named[name].width) == (side, width), name
        products = sum(layer.macs - layer.activations for layer in inside)  # without bias additions
        assert mega is None or abs(products / 1e6 - mega) < 1, name
    second = [layer for layer in layers if re.match("stem_[34]/", layer.name)]
    assert round(sum(layer.macs - layer.activations for layer in second) / 1e6) == 360
    assert 6.8e6 < count(arch.replace(auxiliary=())).params < 7.0e6  # the table's rows add up to 6.8
    filters = [f.kernel for s in arch.stages if isinstance(s.block, Inception) for f in s.block.branches[2]]
    assert filters == [(1, 1), (5, 5)] * 9


def sides(arch: Arch) -> list[int]:
    """The side that leaves each stage, from its last layer that has one."""
    found = {}
    for layer in count(arch, layers=True).layers:
        stage = layer.name.split("/")[0]
        if re.match("(stem|stages)_", stage) and layer.output_shape:
            found[stage] = layer.output_shape[0]
    return list(found.values())


# arXiv 1409.4842 Table 1; 1512.00567 Table 1; 1602.07261 Figures 3, 9, 14; 1610.02357 Figure 5
SIDES = {
    "inception_v2": [112, 56, 56, 56, 28, 28, 28, 14, 14, 14, 14, 14, 7, 7, 7],
    "inception_v3": [149, 147, 147, 73, 73, 71, 35, 35, 35, 17, 17, 17, 17, 8, 8],
    "inception_v4": [149, 147, 147, 73, 71, 35, 35, 17, 17, 8, 8],
    "inception_resnet_v1": [149, 147, 147, 73, 73, 71, 35, 35, 17, 17, 8, 8],
    "legacy_xception": [149, 147, 74, 37, 19, 19, 10, 10],
}


@pytest.mark.representatives(2)
@pytest.mark.parametrize("name", SIDES)
def test_stages_have_the_published_sides(name):
    assert sides(zoo.get(name)) == SIDES[name]


@pytest.mark.parametrize(
    ("name", "widths"),
    [
        ("inception_v2", (256, 320, 576, 576, 576, 576, 576, 1024, 1024, 1024)),
        ("inception_v3", (256, 288, 768, 768, 768, 768, 1280, 2048)),
        ("inception_v4", (384, 1024, 1024, 1536, 1536)),
        ("inception_resnet_v1", (256, 896, 896, 1792, 1792)),
    ],
)
def test_joined_branches_have_the_published_widths(name, widths):
    assert zoo.get(name).widths == widths


def test_a_separable_convolution_has_a_ninth_of_the_parameters():
    def parameters(block) -> int:
        arch = Arch("one", "tests", (), (Stage(block, 256),), Head(), 8, in_channels=128)
        layers = count(arch, layers=True).layers
        return sum(layer.params for layer in layers if layer.kind in ("conv", "depthwise"))

    assert parameters(Conv(3)) == 294_912
    assert parameters(Xception((), post=True)) == 33_920


@pytest.mark.parametrize("name", NAMES)
def test_any_factor_gives_a_network_whose_widths_follow(name):
    arch = zoo.get(name)
    for depth, width in ((1, 0.05), (0.3, 0.37), (1.1, 1.1), (2.6, 1.7)):
        scaled = scale(arch, depth=depth, width=width)
        assert scaled.stages == settle(scaled.stages, scaled.entering)
        assert Arch.from_json(scaled.to_json()) == scaled
        for old, new in zip(arch.stages, scaled.stages):
            assert new.repeats == (max(1, math.ceil(old.repeats * depth - 1e-9)) if old.block.deepens else 1)


@pytest.mark.representatives(1)
@pytest.mark.parametrize("name", ["inception_v4", "inception_resnet_v2", "legacy_xception"])
def test_width_reaches_every_filter(name):
    arch = zoo.get(name)
    narrow, wide = (
        [layer.output_shape[-1] for layer in count(a, layers=True).layers if layer.kind == "conv"]
        for a in (arch, scale(arch, width=2))
    )
    assert wide == [2 * width for width in narrow]


def tiny(**changes) -> Arch:
    """A module with split ends, one that strides, residual ones, and Xception's: few channels, 15 pixels."""
    ends = Fork(((Filter((1, 3), 2),), (Filter((3, 1), 2),)))
    module = Inception(
        (
            (Filter((1, 1), 4),),
            (Filter((1, 1), 2), Filter((1, 7), 4), Filter((7, 1), 4), ends),
            (Pool("avg", 3, count_pad=True), Filter((1, 1), 4)),
        )
    )
    down = Filter((3, 3), 4, strided=True, pad=0)
    stages = (
        Stage(module, 1, repeats=3),
        Stage(Inception(((down,), (Pool("max", 3, pad=0),)), norm=False), 1, stride=2),
        Stage(Inception(((Filter((1, 1), 4),), (Filter((1, 3), 4),)), residual=0.2), 1, repeats=3),
        Stage(Inception(((Filter((1, 1), 4),),), residual=1.0, act=False), 1),
        Stage(Xception((8,), reduce="pool", first_act=False), 8, stride=2),
        Stage(Xception((8, 8)), 8, repeats=3),
        Stage(Xception((8, 8), reduce="conv", norm_depthwise=True), 12, stride=2),
        Stage(Xception((8,), norm_depthwise=True, post=True), 8),
    )
    fields = {
        "stem": (Stage(Conv(3), 4),),
        "stages": settle(stages, 4),
        "head": Head(),
        "resolution": 15,
        "num_classes": 3,
        "rounding": "inception",
        "auxiliary": (Auxiliary(after=0, width=4, hidden=(4,), grid=2),),
    }
    return Arch("tiny", "tests", **{**fields, **changes})


def gradients(net: Network, variables, side: int):
    """Logits, new statistics and gradients of one training pass, auxiliary classifiers included."""
    images_nhwc = np.random.default_rng(0).normal(size=(4, side, side, 3)).astype(np.float32)

    def loss(params):
        logits_bk, updates = net.apply(
            {**variables, "params": params},
            images_nhwc,
            train=True,
            keys_b=jax.random.split(jax.random.key(0), 4),
            mutable=["batch_stats", "auxiliary"],
        )
        sown = updates.pop("auxiliary")["auxiliary_0"]["logits"]
        return jnp.sum(jnp.sin(logits_bk + jnp.arange(3.0))) + jnp.sum(jnp.cos(sown)), (logits_bk, updates)

    return jax.jit(jax.grad(loss, has_aux=True))(variables["params"])


@pytest.mark.parametrize(
    "side", [pytest.param(15, marks=pytest.mark.nightly), pytest.param(20, marks=pytest.mark.exhaustive)]
)
def test_a_loop_is_its_steps_and_every_parameter_gets_a_gradient(side):
    arch = tiny()
    variables = initialize(Network(arch), 0)
    scanned, plain = (
        gradients(Network(arch, scan=scan, operators=operators), variables, side)
        for scan, operators in ((True, None), (False, "lax"))
    )
    for (path, one), two in zip(jax.tree_util.tree_leaves_with_path(scanned), jax.tree.leaves(plain)):
        bar = 1e-3 * max(1e-2, np.abs(two).max())
        np.testing.assert_allclose(one, two, 0, bar, err_msg=jax.tree_util.keystr(path))
    leaves = jax.tree_util.tree_leaves_with_path(plain[0])
    assert not [jax.tree_util.keystr(path) for path, leaf in leaves if not np.any(leaf)]


def test_a_value_is_hashable_and_survives_json():
    arch = tiny()
    assert Arch.from_json(arch.to_json()) == arch and hash(Arch.from_json(arch.to_json())) == hash(arch)


def test_least_side_follows_the_unpadded_filters_of_branches():
    arch = zoo.get("inception_v3")
    with pytest.raises(ValueError, match="resolution=74 leaves no pixel.*at least 75"):
        arch.replace(resolution=74)
    assert sides(arch.replace(resolution=75))[-1] == 1


def replaced(arch: Arch, stage: int, **changes) -> Arch:
    stages = list(arch.stages)
    stages[stage] = dataclasses.replace(stages[stage], **changes)
    return arch.replace(stages=tuple(stages))


def test_misbuilt_modules_are_refused():
    arch = tiny()
    with pytest.raises(ValueError, match="stage 1 has stride=2, which each branch must take exactly once"):
        replaced(arch, 0, stride=2)
    with pytest.raises(ValueError, match="stage 2 repeats=2, but a Inception does not repeat"):
        replaced(arch, 1, repeats=2)
    with pytest.raises(ValueError, match="stage 6 has stride=2, but reduce='' takes none"):
        replaced(arch, 5, stride=2)
    with pytest.raises(ValueError, match="stage 1 has width=9, but 12 follows"):
        replaced(arch, 0, width=9)


def test_auxiliary_classifiers_stand_after_a_stage():
    with pytest.raises(ValueError, match="after stage 8, but there are only stages 0 to 7"):
        tiny(auxiliary=(Auxiliary(after=8),))
    with pytest.raises(ValueError, match="width or grid below 1"):
        tiny(auxiliary=(Auxiliary(after=0, hidden=(0,)),))


@pytest.mark.nightly
def test_scaling_and_choosing_stages_keep_auxiliary_classifiers_valid():
    arch = zoo.get("googlenet")
    scaled = scale(arch, depth=2, width=0.25)
    assert [(a.after, a.width, a.hidden) for a in scaled.auxiliary] == [(3, 32, (256,)), (6, 32, (256,))]
    assert count(scaled).params > count(scaled.replace(auxiliary=())).params
    kept, _ = resolve(ModelSpec("googlenet", stages=(0, 1, 2, 6)), 1000, 3)
    assert [a.after for a in kept.auxiliary] == [3]
