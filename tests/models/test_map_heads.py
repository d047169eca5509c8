"""Heads that answer for every pixel: sizes of their peers, every parameter learns, they scale."""

import jax
import jax.numpy as jnp
import pytest

import scaling
from scaling.arch.map_heads import MAP_HEADS, UPSAMPLINGS, Aspp, Fcn, UNet
from scaling.cost.measuring import measure

SMALL = scaling.get("cifar_resnet20").replace(num_classes=3, resolution=16)
HEADS = {"fcn": Fcn(), "skips": Fcn(width=8, skips=(2, 1)), "aspp": Aspp(8, rates=(1, 2))} | {
    how: UNet((8, 4), convs=1, upsampling=how) for how in UPSAMPLINGS
}


# torchvision 0.28, 21 classes
@pytest.mark.parametrize("head, params", [("fcn", 32957013), ("deeplabv3", 39638869)])
def test_parameters_are_torchvisions(head, params):
    arch = scaling.get("resnet50").replace(
        head=MAP_HEADS[head], output_stride=8, num_classes=21, resolution=64
    )
    assert scaling.count(arch).params == params


@pytest.mark.representatives("skips", "aspp", "shuffle")
@pytest.mark.parametrize("name", HEADS)
def test_every_parameter_learns_and_the_answer_has_the_images_size(name):
    arch = SMALL.replace(head=HEADS[name], drop_rate=0.0)
    net = scaling.build(arch)
    variables = scaling.initialize(net, seed=0)
    images = jax.random.normal(jax.random.key(1), (2, 16, 16, 3))

    def loss(params):
        found, _ = net.apply({**variables, "params": params}, images, train=True, mutable=["batch_stats"])
        return jnp.mean(jnp.sin(3 * found["out"] + jnp.arange(3))), found["out"].shape

    grads, shape = jax.jit(jax.grad(loss, has_aux=True), static_argnums=())(variables["params"])
    assert shape == (2, 16, 16, 3)
    assert all(float(jnp.max(jnp.abs(leaf))) > 0 for leaf in jax.tree.leaves(grads))


def test_a_head_scales_with_its_network_and_phi_0_is_the_identity():
    arch = SMALL.replace(head=UNet((64, 32), convs=2))
    assert scaling.compound(arch, phi=0) == arch
    wide, deep = scaling.scale(arch, width=2.0).head, scaling.scale(arch, depth=2.0).head
    assert wide == UNet((128, 64), convs=2) and deep == UNet((64, 32), convs=4)
    assert scaling.Arch.from_json(arch.to_json()) == arch


@pytest.mark.parametrize(
    "head, told",
    [
        (Fcn(skips=(3,)), "skips stride 3"),
        (UNet(upsampling="cubic"), "upsampling='cubic'"),
        (UNet(finest=8), "reads strides from 8 on"),
        (UNet(widths=()), "at least 1"),
    ],
)
def test_a_head_that_does_not_fit_is_refused(head, told):
    with pytest.raises(ValueError, match=told):
        SMALL.replace(head=head)


def test_a_training_step_of_such_a_network_is_measured():
    arch = SMALL.replace(head=Fcn(width=4), resolution=8)
    assert measure(arch, 2, repeats=1).step_ms > 0
