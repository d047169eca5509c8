"""The jaxpr walker against arithmetic by hand, and scanned against unrolled."""

import math

import jax
import jax.numpy as jnp
import pytest
from flax import linen as nn
from jax import lax

from scaling import zoo
from scaling.arch.arch import Arch
from scaling.arch.blocks import Conv, FusedMBConv, MBConv, Pool, Residual
from scaling.arch.head import Head
from scaling.arch.stages import Stage
from scaling.cost.counting import count, count_module
from scaling.models.initialize import initialize
from scaling.models.network import Network

BLOCKS = (
    Stage(Conv(3, skip=True), 8, repeats=3),
    Stage(FusedMBConv(3, expand=2), 8, repeats=3),
    Stage(MBConv(5, expand=2), 16, repeats=4, stride=2),
    Stage(Residual((1, 3, 1), 0.5, 1, groups=2, se_ratio=0.25, shortcut="pool"), 32, repeats=3, stride=2),
)
MIXED = Arch(
    "mixed", "test", (Stage(Conv(3), 8, stride=2), Stage(Pool("max", 3), 8, stride=2)), BLOCKS, Head(64), 64
)


class Plain(nn.Module):
    """3x3 stride-2 convolution with bias, 2x2 max pool, average, fully connected."""

    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Conv(8, (3, 3), strides=2, padding=1)(x))
        x = nn.max_pool(x, (2, 2), (2, 2))
        return nn.Dense(5)(jnp.mean(x, (1, 2)))


def test_a_small_network_by_hand():
    cost = count_module(Plain(), (16, 16, 3), layers=True)
    convolution, bias, pooled, dense = 8 * 8 * 8 * (9 * 3), 8 * 8 * 8, 4 * 4 * 8, 8 * 5
    assert cost.params == (9 * 3 * 8 + 8) + (8 * 5 + 5)
    assert cost.macs == convolution + bias + dense + 5
    assert cost.activations == 8 * 8 * 8 + pooled + 5
    assert cost.flops == 2 * cost.macs
    assert cost.batch_stats == 0
    assert cost.receptive_field == 3 + 1 * 2
    assert [layer.kind for layer in cost.layers] == ["conv", "max_pool", "dense"]
    assert cost.layers[0].output_shape == (8, 8, 8) and cost.layers[0].params == 9 * 3 * 8 + 8


def test_depthwise_and_grouped_taps_see_only_their_group():
    def macs(groups: int) -> int:
        return count_module(nn.Conv(8, (3, 3), feature_group_count=groups, use_bias=False), (4, 4, 8)).macs

    assert [macs(1), macs(2), macs(8)] == [16 * 8 * 9 * 8, 16 * 8 * 9 * 4, 16 * 8 * 9]


def test_batch_norm_adds_parameters_and_statistics_but_no_macs():
    class Normed(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.BatchNorm(use_running_average=True)(nn.Conv(8, (1, 1), use_bias=False)(x))

    cost = count_module(Normed(), (4, 4, 3), layers=True)
    assert (cost.params, cost.batch_stats, cost.macs) == (3 * 8 + 16, 16, 16 * 3 * 8)
    assert [(layer.kind, layer.params) for layer in cost.layers] == [("conv", 24), ("norm", 16)]


@pytest.mark.parametrize(
    ("name", "pixels"), [("resnet18", 435), ("resnet50", 427), ("resnet101", 971), ("cifar_resnet20", 81)]
)
def test_receptive_field_is_the_sum_over_the_longest_path(name, pixels):
    arch, reach, jump = zoo.get(name), 1, 1
    for stage in arch.stem + arch.stages:
        for i in range(stage.repeats):
            kernels = stage.block.kernels if isinstance(stage.block, Residual) else (stage.block.kernel,)
            at = stage.block.stride_at if isinstance(stage.block, Residual) else 0
            for j, kernel in enumerate(kernels):
                reach += (kernel - 1) * jump
                jump *= stage.stride if i == 0 and j == at else 1
    assert count(arch).receptive_field == reach == pixels


def test_a_scanned_network_counts_like_the_unrolled_one():
    shape = (MIXED.resolution, MIXED.resolution, 3)
    scanned, unrolled = (
        count_module(Network(MIXED, scan=scan, operators="lax"), shape, layers=True, train=False)
        for scan in (True, False)
    )
    assert scanned == unrolled


def test_recomputing_blocks_does_not_change_the_count():
    shape = (MIXED.resolution, MIXED.resolution, 3)
    recomputed = count_module(Network(MIXED, operators="lax", remat=True), shape, train=False)
    assert recomputed == count(MIXED)


def test_layers_add_up_to_the_totals():
    cost = count(MIXED, layers=True)
    for total in ("params", "macs", "activations"):
        assert sum(getattr(layer, total) for layer in cost.layers) == getattr(cost, total)
    names = [layer.name for layer in cost.layers]
    assert len(set(names)) == len(names)


def test_parameters_and_statistics_equal_those_of_the_initialised_network():
    variables = initialize(Network(MIXED), seed=0)
    sizes = {name: sum(leaf.size for leaf in jax.tree.leaves(tree)) for name, tree in variables.items()}
    cost = count(MIXED)
    assert sizes == {"params": cost.params, "batch_stats": cost.batch_stats}
    assert cost.params_with_bn_stats == cost.params + cost.batch_stats


def test_a_flax_scan_is_counted_once_an_iteration():
    class Layer(nn.Module):
        @nn.compact
        def __call__(self, x, _):
            return nn.Dense(6)(x), None

    class Stack(nn.Module):
        @nn.compact
        def __call__(self, x):
            many = nn.scan(Layer, variable_axes={"params": 0}, split_rngs={"params": True}, length=7)
            return many()(x, None)[0]

    cost = count_module(Stack(), (6,), layers=True)
    assert cost.macs == 7 * (6 * 6 + 6) and cost.params == 7 * (6 * 6 + 6)
    assert len(cost.layers) == 7


def test_products_in_a_loop_of_unknown_length_are_refused():
    class Endless(nn.Module):
        def __call__(self, x):
            return lax.while_loop(lambda y: jnp.sum(y) < 9, lambda y: y @ y, x)

    with pytest.raises(ValueError, match="lax.scan"):
        count_module(Endless(), (4, 4))


def test_counting_needs_no_arrays_of_the_size_of_the_network():
    wide = zoo.get("wrn_16_4").replace(resolution=2**14)
    assert count(wide).macs > 10**13 and math.isfinite(count(wide).receptive_field)
