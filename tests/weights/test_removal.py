"""A network less one block is the network in which that block does nothing."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import scaling
from scaling.arch.arch import Arch
from scaling.arch.blocks import Conv, LocalNorm, Residual
from scaling.arch.head import Head
from scaling.arch.stages import Stage
from scaling.models.initialize import initialize
from scaling.weights.removal import Place, removable, without

BLOCK = Residual(kernels=(3, 3), shortcut="zero_pad")
STEM = (Stage(Conv(3), 4),)
RESIDUAL = Arch(
    "small", "tests", STEM, (Stage(BLOCK, 4, 3), Stage(BLOCK, 8, 2, 2), Stage(BLOCK, 8)), Head(), 8, 3, 2
)
PLAIN = RESIDUAL.replace(stages=(Stage(Conv(3), 4, 2), Stage(LocalNorm(), 4), Stage(Conv(3), 8, 3, 2)))


def variables_of(arch: Arch):
    """Statistics and shifts of a trained kind."""
    rng = np.random.default_rng(0)
    moved = lambda leaf: np.asarray(leaf + 0.1 * np.abs(rng.normal(size=leaf.shape)), np.float32)
    return jax.tree.map(moved, initialize(scaling.build(arch), 0))


def answer(arch, variables):
    images = np.random.default_rng(1).normal(size=(3, 8, 8, 2)).astype(np.float32)
    return jax.jit(scaling.build(arch, operators="lax").apply)(variables, images)


def silenced(variables, place: Place):
    """The variables with a block's last norm at 0."""
    tree = jax.tree.map(jnp.asarray, variables)
    stage = tree["params"][f"stages_{place.stage}"]
    norm = stage["first"]["norm1"] if place.block == 0 else stage["rest"]["blocks"]["norm1"]
    for name in norm:
        norm[name] = jnp.zeros_like(norm[name]) if place.block == 0 else norm[name].at[place.block - 1].set(0)
    return tree


def test_blocks_that_keep_their_inputs_shape_can_be_left_out():
    assert [str(place) for place in removable(RESIDUAL)] == ["0.0", "0.1", "0.2", "1.1", "2.0"]
    assert [str(place) for place in removable(PLAIN)] == ["0.0", "0.1", "2.1", "2.2"]
    with pytest.raises(ValueError, match="cells that read two outputs"):
        removable(scaling.get("nasnetamobile"))
    with pytest.raises(ValueError, match="no classifier"):
        removable(scaling.get("fcn_resnet50"))
    with pytest.raises(ValueError, match="no block that keeps"):
        removable(scaling.get("lenet5"))


@pytest.mark.representatives("0.0", "1.1")
@pytest.mark.parametrize("place", removable(RESIDUAL), ids=str)
def test_a_block_whose_last_norm_is_0_can_be_left_out_unnoticed(place):
    variables = silenced(variables_of(RESIDUAL), place)
    arch, kept = without(RESIDUAL, variables, place)
    assert arch.depth == RESIDUAL.depth - 1
    np.testing.assert_allclose(answer(arch, kept), answer(RESIDUAL, variables), atol=1e-6)
    other = removable(RESIDUAL)[(removable(RESIDUAL).index(place) + 1) % 5]
    assert np.abs(answer(*without(RESIDUAL, variables, other)) - answer(RESIDUAL, variables)).max() > 1e-3


@pytest.mark.representatives("0.1")
@pytest.mark.parametrize("place", removable(PLAIN), ids=str)
def test_what_is_left_of_a_plain_network_fits_and_answers_otherwise(place):
    variables = variables_of(PLAIN)
    arch, kept = without(PLAIN, variables, place)
    shapes = jax.tree.map(np.shape, initialize(scaling.build(arch), 0))
    assert jax.tree.map(np.shape, kept) == shapes
    assert np.abs(answer(arch, kept) - answer(PLAIN, variables)).max() > 1e-4
