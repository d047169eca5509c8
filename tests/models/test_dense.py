"""Convolution with gradients of its own is the one that JAX has, in value and gradients, also in a loop."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from scaling.models.dense import dense, grouped

ONE = ((1, 1), (1, 1))


def plain(x_nhwc, kernel_hwio, groups, stride, padding, dilation):
    return lax.conv_general_dilated(
        x_nhwc,
        kernel_hwio,
        (stride, stride),
        padding,
        rhs_dilation=(dilation, dilation),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=groups,
    )


def value_and_gradients(function, *arguments):
    """The output, and the gradients of a weighted sum of it to all arguments."""
    y, pull = jax.vjp(function, *arguments)
    weights = jnp.cos(jnp.arange(y.size, dtype=jnp.float32)).reshape(y.shape)
    return (y, *pull(weights.astype(y.dtype)))


def normal(shape, dtype=jnp.float32, seed: int = 0):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), dtype)


def run(function, *arguments):
    return jax.jit(lambda *a: value_and_gradients(function, *a))(*arguments)


@pytest.mark.representatives(5)
@pytest.mark.parametrize(
    ("size", "channels", "kernel", "stride", "padding", "dilation"),
    [
        ((7, 9), (5, 6), (3, 3), 1, ONE, 1),
        ((8, 8), (3, 4), (3, 3), 2, ONE, 1),
        ((8, 8), (3, 4), (3, 3), 2, ((0, 1), (0, 1)), 1),
        ((9, 8), (3, 4), (7, 7), 2, ((3, 3), (3, 3)), 1),
        ((9, 10), (3, 4), (5, 5), 3, ((1, 2), (2, 0)), 1),
        ((9, 6), (4, 4), (3, 3), 2, ((2, 2), (2, 2)), 2),
        ((11, 10), (2, 3), (3, 3), 1, ((3, 3), (3, 3)), 3),
        ((6, 9), (3, 2), (1, 7), 1, ((0, 0), (3, 3)), 1),
        ((5, 4), (3, 2), (1, 1), 2, ((0, 0), (0, 0)), 1),
        ((6, 6), (3, 2), (2, 2), 3, ((0, 0), (1, 3)), 1),
    ],
)
def test_equals_the_convolution_of_jax(size, channels, kernel, stride, padding, dilation, assert_close):
    x_nhwc, kernel_hwio = normal((2, *size, channels[0])), normal((*kernel, *channels), seed=1)
    ours = run(lambda x, k: dense(x, k, stride, padding, dilation), x_nhwc, kernel_hwio)
    theirs = run(lambda x, k: plain(x, k, 1, stride, padding, dilation), x_nhwc, kernel_hwio)
    assert_close(ours, theirs, 1e-5)


@pytest.mark.parametrize(
    ("groups", "channels", "features", "stride", "dilation"),
    [(4, 8, 8, 1, 1), (32, 128, 64, 2, 1), (3, 6, 9, 1, 2), (8, 512, 512, 1, 1), (20, 20, 40, 1, 1)],
)
def test_groups_are_kept_apart(groups, channels, features, stride, dilation, assert_close):
    x_nhwc = normal((2, 6, 5, channels))
    kernel_hwio = normal((3, 3, channels // groups, features), seed=1)
    ours = run(lambda x, k: grouped(x, k, groups, stride, ONE, dilation), x_nhwc, kernel_hwio)
    theirs = run(lambda x, k: plain(x, k, groups, stride, ONE, dilation), x_nhwc, kernel_hwio)
    assert_close(ours, theirs, 1e-5)


def test_bfloat16_stays_within_its_rounding(assert_close):
    x_nhwc, kernel_hwio = normal((2, 6, 7, 8), jnp.bfloat16), normal((3, 3, 8, 4), jnp.bfloat16, seed=1)
    ours = run(lambda x, k: dense(x, k, 2, ONE), x_nhwc, kernel_hwio)
    assert all(a.dtype == jnp.bfloat16 for a in ours)
    wide = [a.astype(jnp.float32) for a in (x_nhwc, kernel_hwio)]
    assert_close(ours, run(lambda x, k: plain(x, k, 1, 2, ONE, 1), *wide), 2e-2)


def test_a_loop_gives_what_its_steps_give(assert_close):
    x_nhwc, kernels = normal((2, 6, 6, 4)), 0.3 * normal((3, 3, 3, 4, 4), seed=1)

    def looped(x, kernels):
        return lax.scan(lambda x, k: (dense(x, k, 1, ONE), None), x, kernels)[0]

    def written_out(x, kernels):
        for k in kernels:
            x = plain(x, k, 1, 1, ONE, 1)
        return x

    assert_close(run(looped, x_nhwc, kernels), run(written_out, x_nhwc, kernels), 1e-5)
