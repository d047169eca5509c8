"""Heads that answer a picture: its size, that every parameter learns, the cost that is counted."""

import dataclasses

import jax
import jax.numpy as jnp
import pytest

import scaling
from scaling.arch.arch import Arch
from scaling.arch.blocks import Conv, Transition
from scaling.arch.gan_heads import Adversarial
from scaling.arch.map_heads import UPSAMPLINGS, UNet
from scaling.arch.picture_heads import Reconstruction
from scaling.arch.stages import Stage
from scaling.cost.closed_form import totals
from scaling.cost.counting import count
from scaling.models.initialize import abstract_variables
from scaling.models.map_heads import filling, to_space

SMALL = Arch(
    "small", "tests", (Stage(Conv(), 4, stride=2),), (Stage(Conv(norm=False), 4),), Reconstruction(), 12, 3
)
HEADS = {how: Reconstruction(factor=2, upsampling=how) for how in UPSAMPLINGS}
HEADS["residual"] = Reconstruction(5, residual=True, bias=False)


@pytest.mark.representatives("shuffle", "residual")
@pytest.mark.parametrize("name", HEADS)
def test_every_parameter_learns_and_the_picture_has_its_size(name):
    net = scaling.build(SMALL.replace(head=HEADS[name]))
    variables = scaling.initialize(net, seed=0)
    images = jax.random.normal(jax.random.key(1), (2, 12, 12, 3))

    def loss(params):
        found, _ = net.apply({**variables, "params": params}, images, train=True, mutable=["batch_stats"])
        return jnp.mean(jnp.sin(3 * found["out"])), found["out"].shape

    grads, shape = jax.jit(jax.grad(loss, has_aux=True))(variables["params"])
    assert shape == (2, 12 * HEADS[name].factor, 12 * HEADS[name].factor, 3)
    assert all(float(jnp.max(jnp.abs(leaf))) > 0 for leaf in jax.tree.leaves(grads["decoder"]))


@pytest.mark.parametrize("how", UPSAMPLINGS)
@pytest.mark.parametrize(
    "head",
    [Reconstruction(), Adversarial(3, (6, 4), grid=2), UNet((4,), convs=1)],
    ids=lambda head: type(head).__name__,
)
def test_an_answer_fills_what_a_pooling_cut(head, how):
    stages = (Stage(Transition(1.0), 4, stride=2), Stage(Transition(1.0), 4, stride=2))  # from 15 to 7 and 3
    arch = SMALL.replace(
        stem=(Stage(Conv(), 4),), stages=stages, resolution=15, head=dataclasses.replace(head, upsampling=how)
    )
    net, images = scaling.build(arch, operators="lax"), jnp.ones((1, 15, 15, 3))
    variables = abstract_variables(net, 15, 3)
    assert jax.eval_shape(net.apply, variables, images)["out"].shape == (1, 15, 15, 3)
    assert totals(arch).macs == count(arch).macs


def test_what_fills_is_the_edge():
    x = jnp.arange(4.0).reshape(1, 1, 1, 4)
    assert filling(x, (1, 3))[0, :, :, 0].tolist() == [[0, 1, 1]]


def test_a_residual_answer_begins_as_nothing():
    net = scaling.build(SMALL.replace(head=HEADS["residual"]))
    found = net.apply(scaling.initialize(net, seed=0), jnp.ones((1, 12, 12, 3)))
    assert not jnp.any(found["out"])


@pytest.mark.parametrize("side", [12, 13])  # the larger picture that a side of 13 is cut out of counts
@pytest.mark.parametrize("name", HEADS)
def test_it_costs_what_is_counted(name, side):
    arch = SMALL.replace(head=HEADS[name], resolution=side)
    walked, sums = count(arch), totals(arch)
    for figure in ("params", "batch_stats", "macs", "activations"):
        assert getattr(sums, figure) == getattr(walked, figure), figure


@pytest.mark.parametrize("name, params", [("dncnn", 556_096), ("espcn_x3", 22_729)])
def test_published_networks_have_their_parameters(name, params):
    assert totals(scaling.get(name)).params == params


def test_values_of_a_pixel_become_a_square():
    x = jnp.arange(2 * 9.0).reshape(1, 1, 2, 9)
    assert to_space(x, 3)[0, :, :3, 0].tolist() == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]


@pytest.mark.parametrize(
    "wrong", [{"upsampling": "cubic"}, {"factor": 0}, {"factor": 2, "residual": True}], ids=str
)
def test_a_head_that_cannot_be_is_refused(wrong):
    with pytest.raises(ValueError, match="the head Reconstruction"):
        SMALL.replace(head=Reconstruction(**wrong))
