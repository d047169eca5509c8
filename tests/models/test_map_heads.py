"""Heads that answer for every pixel: every parameter learns, they scale, drop, and lower anywhere."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.errors import InvalidRngError
from jax import export

import scaling
from scaling.arch.map_heads import UP_KERNELS, UPSAMPLINGS, Aspp, Fcn, LrAspp, UNet
from scaling.arch.norm import Norm
from scaling.cost.measuring import measure
from scaling.models.initialize import abstract_variables
from scaling.models.map_heads import resize
from scaling.models.network import Network

SMALL = scaling.get("cifar_resnet20").replace(num_classes=3, resolution=16)
OWN = {"last": 12, "act": "hard_swish", "norm": Norm(1e-3, 0.5)}
HEADS = {
    "fcn": Fcn(),
    "skips": Fcn(width=8, skips=(2, 1)),
    "aspp": Aspp(8, rates=(1, 2), **OWN),
    "lraspp": LrAspp(8, low=2, **OWN),
} | {how: UNet((8, 4), convs=1, upsampling=how) for how in UPSAMPLINGS}


@pytest.mark.representatives("lraspp", night=4)
@pytest.mark.parametrize("name", HEADS)
def test_every_parameter_learns_and_the_answer_has_the_images_size(name):
    arch = SMALL.replace(head=HEADS[name], drop_rate=0.0)
    net = scaling.build(arch)
    variables = scaling.initialize(net, seed=0)
    images = jax.random.normal(jax.random.key(1), (2, 16, 16, 3))
    keys_b = jax.random.split(jax.random.key(2), 2)

    def loss(params):
        found, _ = net.apply(
            {**variables, "params": params}, images, train=True, keys_b=keys_b, mutable=["batch_stats"]
        )
        return jnp.mean(jnp.sin(3 * found["out"] + jnp.arange(3))), found["out"].shape

    grads, shape = jax.jit(jax.grad(loss, has_aux=True), static_argnums=())(variables["params"])
    assert shape == (2, 16, 16, 3)
    assert all(float(jnp.max(jnp.abs(leaf))) > 0 for leaf in jax.tree.leaves(grads))


@pytest.mark.nightly
@pytest.mark.parametrize(
    "backend, platform", [("gpu", "cuda"), pytest.param("tpu", "tpu", marks=pytest.mark.exhaustive)]
)
@pytest.mark.parametrize("name", HEADS)
def test_training_is_lowered_for_accelerators(name, backend, platform):
    arch = SMALL.replace(head=HEADS[name], drop_rate=0.0)
    net = Network(arch, operators=backend)
    keys_b = jax.eval_shape(lambda: jax.random.split(jax.random.key(0), 2))
    images = jax.ShapeDtypeStruct((2, 16, 16, 3), jnp.float32)

    def loss(variables, images, keys_b):
        found, _ = net.apply(variables, images, train=True, keys_b=keys_b, mutable=["batch_stats"])
        return jnp.sum(found["out"])

    lowered = export.export(jax.jit(jax.grad(loss)), platforms=[platform])
    assert lowered(abstract_variables(net, 16, 3), images, keys_b).platforms == (platform,)


def test_a_head_drops_where_nothing_else_of_its_network_does():
    net = scaling.build(SMALL.replace(head=Fcn(width=4), resolution=8, drop_rate=0.0))
    variables = abstract_variables(net, 8, 3)
    images = jax.ShapeDtypeStruct((2, 8, 8, 3), jnp.float32)
    with pytest.raises(InvalidRngError, match="dropout"):
        jax.eval_shape(lambda v, x: net.apply(v, x, train=True, mutable=["batch_stats"]), variables, images)


@pytest.mark.parametrize("sides", [(7, 5), (2, 9), (8, 12)])
def test_bilinear_resizing_is_that_of_pixels_as_areas(sides):
    """PyTorch's `interpolate(mode="bilinear", align_corners=False)`, up and down, for one channel."""
    image = np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32)
    expected = image
    for axis, side in enumerate(sides):
        length = image.shape[axis]
        at = np.clip((np.arange(side) + 0.5) * length / side - 0.5, 0, length - 1)
        low = np.floor(at).astype(int)
        high, part = np.minimum(low + 1, length - 1), (at - low).reshape((-1, 1) if axis == 0 else (1, -1))
        expected = (1 - part) * expected.take(low, axis) + part * expected.take(high, axis)
    found = jax.jit(resize, static_argnums=1)(image[None, :, :, None], sides)[0, :, :, 0]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_a_head_scales_with_its_network_and_phi_0_is_the_identity():
    arch = SMALL.replace(head=UNet((64, 32), convs=2))
    assert scaling.compound(arch, phi=0) == arch
    wide, deep = scaling.scale(arch, width=2.0).head, scaling.scale(arch, depth=2.0).head
    assert wide == UNet((128, 64), convs=2) and deep == UNet((64, 32), convs=4)
    assert scaling.Arch.from_json(arch.to_json()) == arch


def test_a_heads_own_last_convolution_widens_and_its_norm_survives_json():
    arch = SMALL.replace(head=HEADS["lraspp"])
    assert scaling.scale(arch, width=2.0).head == LrAspp(16, low=2, **{**OWN, "last": 24})
    assert scaling.Arch.from_json(arch.to_json()) == arch
    assert not {"last", "act", "norm"} & set(arch.replace(head=Aspp()).to_dict()["head"])


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


@pytest.mark.parametrize("how", UPSAMPLINGS)
def test_a_kernel_that_doubles_does_not_go_up_further(how):
    head, strides = UNet((8,), convs=1, upsampling=how), (1, 1, 4, 2)
    if how in UP_KERNELS:
        with pytest.raises(ValueError, match="from stride 4 to 1 is more: let strides at most double"):
            SMALL.replace(head=head, strides=strides)
    else:
        assert SMALL.replace(head=head, strides=strides).map_strides == (1, 4, 8)
    assert SMALL.replace(head=dataclasses.replace(head, finest=4), strides=strides)


@pytest.mark.nightly
def test_a_training_step_of_such_a_network_is_measured():
    arch = SMALL.replace(head=Fcn(width=4), resolution=8)
    assert measure(arch, 2, repeats=1).step_ms > 0
