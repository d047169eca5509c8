"""GhostNet has its published sizes, and its kernels start alike whatever their modules are called."""

import jax
import numpy as np
import pytest

from scaling import zoo
from scaling.arch.blocks import GhostBottleneck
from scaling.arch.stages import Stage
from scaling.cost.counting import count
from scaling.models.initialize import initialize
from scaling.models.network import Network
from scaling.rules.scale import scale

GHOSTNET = zoo.get("ghostnet_100")


def test_it_has_the_published_size():
    """arXiv 1911.11907 Table 7 prints 5.2 M and 141 M; timm's `ghostnet_100` has this many parameters."""
    cost = count(GHOSTNET)
    assert cost.params == 5_182_508
    assert round(cost.macs / 1e6) == 141


def test_half_the_width_is_timms():
    """timm's `ghostnet_050`: every width rounds to a multiple of 4, and the hidden layer keeps its 1280."""
    half = scale(GHOSTNET, width=0.5)
    assert count(half).params == 2_587_292
    assert half.head.hidden == GHOSTNET.head.hidden


@pytest.mark.parametrize("width", [0.1, 0.37, 1.3])
@pytest.mark.parametrize("rounding", ["ghostnet", "whole"])
def test_half_of_every_width_is_whole(width, rounding):
    narrow = scale(GHOSTNET, width=width, rounding=rounding)
    channels = narrow.entering
    for stage in narrow.stages:
        assert isinstance(stage.block, GhostBottleneck)
        assert stage.width % 2 == stage.block.expanded(channels) % 2 == 0
        channels = stage.width


def test_an_odd_width_is_refused():
    stages = (Stage(GhostBottleneck(), 15), *GHOSTNET.stages[1:])
    with pytest.raises(ValueError, match="stage 1 has width=15.*choose an even one"):
        GHOSTNET.replace(stages=stages)


def test_cheap_kernels_start_as_depthwise_ones_do():
    flat = jax.tree_util.tree_leaves_with_path(initialize(Network(GHOSTNET))["params"])
    kernels = {"/".join(key.key for key in path): leaf for path, leaf in flat if leaf.ndim == 4}
    cheap = [leaf for name, leaf in kernels.items() if name.endswith("cheap/kernel") and leaf.size > 2000]
    assert len(cheap) > 5
    assert [np.std(leaf) for leaf in cheap] == pytest.approx([(2 / 9) ** 0.5] * len(cheap), rel=0.05)
