"""Rectangular filters in every form, averages that count zeros, split ends and residual scales."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scaling.arch.blocks import Filter, Fork, Inception
from scaling.models.inception import InceptionModule
from scaling.models.layers import Settings, convolve, pool
from scaling.models.operators import BY_BACKEND, LAX

CPU = BY_BACKEND["cpu"]


def normal(shape, seed: int = 0):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


@pytest.mark.representatives(4)
@pytest.mark.parametrize("groups", [1, 2, 4], ids=["dense", "grouped", "depthwise"])
@pytest.mark.parametrize(
    ("sides", "stride", "pad"),
    [
        ((1, 7), 1, None),
        ((7, 1), 1, None),
        ((1, 3), 2, None),
        ((3, 1), 1, 0),
        ((5, 7), 1, 0),  # one window
    ],
)
def test_rectangular_filters_are_the_same_in_every_form(sides, stride, pad, groups, assert_close):
    x_nhwc, kernel_hwio = normal((2, 5, 7, 4)), normal((*sides, 4 // groups, 4), seed=1)

    def run(form, padding):
        settings = Settings(operators=form, padding=padding)
        y, pull = jax.vjp(lambda x, k: convolve(x, k, stride, groups, settings, pad=pad), x_nhwc, kernel_hwio)
        return (y, *pull(jnp.cos(jnp.arange(y.size, dtype=jnp.float32)).reshape(y.shape)))

    for padding in ("torch", "tf"):
        ours, theirs = (jax.jit(run, static_argnums=(0, 1))(form, padding) for form in (CPU, LAX))
        if pad is None:
            assert ours[0].shape[1:3] == (-(-5 // stride), -(-7 // stride))
        assert_close(ours, theirs, 1e-5)


@pytest.mark.parametrize(("count_pad", "corner", "edge"), [(False, 1.0, 1.0), (True, 4 / 9, 6 / 9)])
def test_an_average_counts_padded_zeros_if_asked(count_pad, corner, edge):
    y = pool(jnp.ones((1, 4, 4, 1)), "avg", 3, 1, Settings(), count_pad=count_pad)[0, :, :, 0]
    np.testing.assert_allclose([y[0, 0], y[0, 1], y[1, 1]], [corner, edge, 1.0], rtol=1e-6)


def test_an_average_counts_no_zero_beyond_the_padding():
    """As in PyTorch: the last window of AvgPool2d(3, 2, 1, ceil_mode=True) has a pixel and one of padding."""
    y = pool(jnp.ones((1, 6, 6, 1)), "avg", 3, 2, Settings(), pad=1, ceil=True, count_pad=True)[0, :, :, 0]
    parts = np.array([2 / 3, 1, 1, 1 / 2])
    np.testing.assert_allclose(y, np.outer(parts, parts), rtol=1e-6)


def module(value: Inception, width: int) -> InceptionModule:
    return InceptionModule(value, width, 1, Settings())


def test_outputs_are_joined_in_order_ends_within_their_branch():
    ends = Fork(((Filter((1, 1), 2),), (Filter((1, 1), 3),)))
    value = Inception(((Filter((1, 1), 4), ends), (Filter((1, 1), 1),)), norm=False)
    net, x_nhwc = module(value, 6), normal((1, 3, 3, 2))
    variables = net.init(jax.random.key(0), x_nhwc, False)
    assert set(variables["params"]) == {"branch_0_0", "branch_0_1_0_0", "branch_0_1_1_0", "branch_1_0"}
    for index, name in enumerate(("branch_0_1_0_0", "branch_0_1_1_0", "branch_1_0")):
        marked = jax.tree.map(jnp.zeros_like, variables)
        marked["params"][name]["filter"]["bias"] += 1.0
        found = np.flatnonzero(net.apply(marked, x_nhwc, False)[0, 0, 0])
        assert found.tolist() == [[0, 1], [2, 3, 4], [5]][index]


@pytest.mark.parametrize("act", [True, False])
def test_a_residual_module_adds_its_scaled_projection(act, assert_close):
    value = Inception(((Filter((1, 1), 4),),), norm=False, residual=0.25, act=act)
    net, x_nhwc = module(value, 3), normal((2, 3, 3, 3))
    variables = net.init(jax.random.key(1), x_nhwc, False)
    variables["params"]["project"]["bias"] += 1.0
    params = variables["params"]
    joined = jax.nn.relu(x_nhwc @ params["branch_0_0"]["filter"]["kernel"][0, 0])
    added = x_nhwc + 0.25 * (joined @ params["project"]["kernel"][0, 0] + 1.0)
    assert_close(net.apply(variables, x_nhwc, False), jax.nn.relu(added) if act else added, 1e-5)
