"""Feature maps come from the classifier's variables; dilation keeps the function on a finer grid."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import scaling
from scaling.arch.arch import Arch, Norm
from scaling.arch.blocks import (
    Conv,
    DepthwiseSeparable,
    Fire,
    FusedMBConv,
    GhostBottleneck,
    MBConv,
    Pool,
    Residual,
    ShuffleV1,
    ShuffleV2,
)
from scaling.arch.head import Head
from scaling.arch.stages import Stage, settle
from scaling.models.backbone import backbone
from scaling.models.initialize import abstract_variables, initialize
from scaling.models.network import Network

BLOCKS = {
    "conv": Conv(3, skip=True, bias=True),
    "pool": Pool("max", 3),
    "unpadded_pool": Pool("max", 2, pad=0),
    "average": Pool("avg", 3),
    "mbconv": MBConv(5, expand=2),
    "fused": FusedMBConv(3, expand=2),
    "basic": Residual(),
    "first_strided": Residual((1, 3, 1), 0.5, 0),
    "bottleneck": Residual((1, 3, 1), 0.5, 1, groups=2, se_ratio=0.0),
    "pool_shortcut": Residual(shortcut="pool"),
    "zero_pad": Residual(shortcut="zero_pad", preact=True),
    "separable": DepthwiseSeparable(5),
    "shuffle_v1": ShuffleV1(groups=2),
    "shuffle_v2": ShuffleV2(),
    "fire": Fire(),
    "ghost": GhostBottleneck(5, expand=2),
}


def arch_of(block, padding: str = "torch") -> Arch:
    """Strides 2, 4 and 8 of one block, which is followed by dense convolutions."""
    width = 16 if isinstance(block, ShuffleV1) else 8
    stages = (
        Stage(Conv(), 8),
        Stage(block, width, 1 if isinstance(block, Pool) else 2, stride=2),
        Stage(Conv(3), 8, 2),
        Stage(MBConv(3, expand=2, se_ratio=0.0), 8, stride=2),
        Stage(Conv(5), 8),
    )
    return Arch("tiny", "tests", (Stage(Conv(), 8, stride=2),), stages, Head(), 32, 3, padding=padding)


def images(side: int = 32) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(2, side, side, 3)).astype(np.float32)


def variables_of(arch: Arch):
    """Initial variables, with statistics and biases that padding and order would show in."""
    rng = np.random.default_rng(1)
    drawn = initialize(Network(arch), 0)
    draw = lambda x: x + rng.uniform(0.1, 0.5, x.shape).astype(np.float32)
    return {"params": drawn["params"], "batch_stats": jax.tree.map(draw, drawn["batch_stats"])}


def without_gates(block):
    """Squeeze-excite averages over the map, so that its mean depends on the grid."""
    return MBConv(5, expand=2, se_ratio=0.0) if isinstance(block, MBConv) else block


@pytest.mark.representatives(5, night=15)
@pytest.mark.parametrize(
    ("operators", "stride"),
    [("cpu", 2), *(pytest.param(*other, marks=pytest.mark.exhaustive) for other in (("cpu", 4), ("lax", 2)))],
)
@pytest.mark.parametrize("name", BLOCKS)
def test_a_dilated_map_holds_the_strided_one(name, operators, stride):
    arch = arch_of(without_gates(BLOCKS[name]))
    variables, x_nhwc = variables_of(arch), images()
    strided = jax.jit(backbone(arch, operators=operators).apply)(variables, x_nhwc)
    dilated = jax.jit(backbone(arch, output_stride=stride, operators=operators).apply)(variables, x_nhwc)
    assert list(dilated) == [2, 4, 8][: 1 + stride // 4]
    last = dilated[stride]
    assert last.shape[1:3] == (32 // stride, 32 // stride)
    step = 8 // stride
    np.testing.assert_allclose(last[:, ::step, ::step], strided[8], rtol=1e-3, atol=1e-4)


def test_same_padding_of_odd_sides_holds_it_too():
    arch = arch_of(Residual(), "tf")
    variables, x_nhwc = variables_of(arch), images(33)
    strided, dilated = (jax.jit(backbone(arch, output_stride=n).apply)(variables, x_nhwc) for n in (8, 2))
    np.testing.assert_allclose(dilated[2][:, ::4, ::4], strided[8], rtol=1e-3, atol=1e-4)


def test_dilation_changes_no_variable_and_costs_more():
    arch = scaling.get("resnet18").replace(resolution=64)
    dilated = arch.replace(output_stride=8)
    one, two = (abstract_variables(Network(a), 64, 3) for a in (arch, dilated))
    assert jax.tree.structure(one) == jax.tree.structure(two)
    assert [x.shape for x in jax.tree.leaves(one)] == [x.shape for x in jax.tree.leaves(two)]
    assert scaling.count(dilated).params == scaling.count(arch).params
    assert scaling.count(dilated).macs > 2 * scaling.count(arch).macs
    assert Arch.from_json(dilated.to_json()) == dilated and "output_stride" not in arch.to_json()


def test_the_gradients_of_a_dilated_network_are_those_of_plain_operators():
    arch = arch_of(Pool("max", 3)).replace(output_stride=2, norm=Norm())
    variables, x_nhwc = variables_of(arch), images(16)

    def gradient(operators):
        loss = lambda v: jnp.sum(jnp.sin(backbone(arch, operators=operators).apply(v, x_nhwc)[2]))
        return jax.jit(jax.grad(loss))(variables)

    for one, two in zip(jax.tree.leaves(gradient("cpu")), jax.tree.leaves(gradient("lax")), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-3, atol=1e-3 * max(1.0, np.abs(two).max()))


def test_the_last_map_is_the_one_that_the_head_reads():
    arch = arch_of(Residual()).replace(head=Head())
    variables, x_nhwc = variables_of(arch), images()
    maps = jax.jit(backbone(arch, strides=(8, 2)).apply)(variables, x_nhwc)
    assert list(maps) == [2, 8]
    classifier = variables["params"]["classifier"]
    logits = maps[8].mean((1, 2)) @ classifier["kernel"] + classifier["bias"]
    np.testing.assert_allclose(logits, jax.jit(Network(arch).apply)(variables, x_nhwc), rtol=1e-4, atol=1e-5)


def test_a_backbone_needs_no_later_stage():
    arch = arch_of(Residual())
    shapes = abstract_variables(backbone(arch, strides=(4,)), 32, 3)
    assert set(shapes["params"]) == {"stem_0", "stages_0", "stages_1", "stages_2"}


def test_strides_that_there_are_not():
    with pytest.raises(ValueError, match="no feature map of stride 64.*2, 4, 8, 16, 32"):
        backbone(scaling.get("resnet18"), strides=(4, 64))
    with pytest.raises(ValueError, match="stride 32.*output_stride=16"):
        backbone(scaling.get("resnet18"), strides=(32,), output_stride=16)
    with pytest.raises(ValueError, match="output_stride=3"):
        scaling.get("resnet18").replace(output_stride=3)


def families() -> list[Any]:
    """All families; those whose kinds of blocks another one has are nightly."""
    seen, marked = set(), []
    for family in sorted({scaling.get(name).family for name in scaling.names()}):
        arch = scaling.get(scaling.names(family)[0])
        kinds = frozenset(type(stage.block) for stage in arch.stages) - {Conv, Pool}
        marked.append(pytest.param(family, marks=pytest.mark.exhaustive if kinds in seen else ()))
        seen.add(kinds)
    return marked


@pytest.mark.representatives(6, night=12)
@pytest.mark.parametrize("family", families())
def test_every_family_is_a_backbone(family):
    arch = scaling.get(scaling.names(family)[0])
    stages = (replace(stage, repeats=min(stage.repeats, 2)) for stage in arch.stages)
    arch = arch.replace(resolution=max(64, arch.least_side), stages=settle(tuple(stages), arch.entering))
    strides = [grid.stride for grid in arch.feature_grids]
    if any(stage.block.reads_two for stage in arch.stages):
        with pytest.raises(ValueError, match="a cell fits its older input"):
            backbone(arch, output_stride=strides[0])
        strides = []
    largest = max(strides, default=1)
    image = jax.ShapeDtypeStruct((1, arch.resolution, arch.resolution, arch.in_channels), jnp.float32)
    for output_stride in {None, largest, largest // 2} & {None, *strides}:
        net = backbone(arch, output_stride=output_stride, operators="lax")
        variables = abstract_variables(net, arch.resolution, arch.in_channels)
        maps = jax.eval_shape(net.apply, variables, image)
        assert list(maps) == sorted({grid.stride for grid in net.arch.feature_grids})
        last = dict(zip((grid.stride for grid in net.arch.feature_grids), net.arch.stem + net.arch.stages))
        assert {s: x.shape[-1] for s, x in maps.items()} == {s: stage.width for s, stage in last.items()}
        sides = [x.shape[1] for x in maps.values()]
        assert sides == sorted(sides, reverse=True)


@pytest.mark.representatives("unpadded_pool", "inception_v3")
@pytest.mark.parametrize("output_stride", [None, 4])
@pytest.mark.parametrize("name", [*BLOCKS, "inception_v3", "inception_v4", "vgg11", "alexnet"])
def test_sides_of_maps_are_known_without_the_network(name, output_stride):
    arch = arch_of(BLOCKS[name]) if name in BLOCKS else scaling.get(name)
    arch = arch.replace(output_stride=output_stride)
    net, rows, columns = backbone(arch, operators="lax"), 139, 162
    image = jax.ShapeDtypeStruct((1, rows, columns, arch.in_channels), jnp.float32)
    maps, _ = jax.eval_shape(lambda x: net.init_with_output(jax.random.key(0), x), image)
    found = {stride: x.shape[1:3] for stride, x in maps.items()}
    known = zip(arch.map_sides(rows).values(), arch.map_sides(columns).values())
    assert found == dict(zip(arch.map_sides(rows), known))
