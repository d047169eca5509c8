"""The shifted depthwise convolution is the grouped one: values and both gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from scaling.models.depthwise import depthwise

SYMMETRIC = ((1, 1), (1, 1))
UNEVEN = ((0, 2), (3, 1))
NONE = ((0, 0), (0, 0))


def grouped(x_nhwc, kernel_hw1c, stride, padding, dilation):
    """The definition, in float32."""
    return lax.conv_general_dilated(
        x_nhwc.astype(jnp.float32),
        kernel_hw1c.astype(jnp.float32),
        (stride, stride),
        padding,
        rhs_dilation=(dilation, dilation),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=x_nhwc.shape[-1],
    )


def value_and_gradients(convolve, x_nhwc, kernel_hw1c, stride, padding, dilation):
    """The output, and the gradients of a weighted sum of it to image and kernel."""
    y_nhwc, pull = jax.vjp(lambda x, k: convolve(x, k, stride, padding, dilation), x_nhwc, kernel_hw1c)
    weights = np.cos(np.arange(y_nhwc.size, dtype=np.float32)).reshape(y_nhwc.shape)
    return (y_nhwc, *pull(jnp.asarray(weights).astype(y_nhwc.dtype)))


def check(kernel, stride, size, padding, dtype, tolerance, batch=2, channels=3, dilation=1):
    rng = np.random.default_rng(0)
    x_nhwc = jnp.asarray(rng.normal(size=(batch, *size, channels)), dtype)
    kernel_hw1c = jnp.asarray(rng.normal(size=(*kernel, 1, channels)), dtype)
    run = jax.jit(value_and_gradients, static_argnums=(0, 3, 4, 5))
    ours, theirs = (run(f, x_nhwc, kernel_hw1c, stride, padding, dilation) for f in (depthwise, grouped))
    for name, one, two in zip(("value", "image gradient", "kernel gradient"), ours, theirs):
        assert one.shape == two.shape and one.dtype == dtype, name
        one, two = np.asarray(one, np.float32), np.asarray(two, np.float32)
        np.testing.assert_allclose(one, two, 0, tolerance * np.abs(two).max(), err_msg=name)


@pytest.mark.representatives(4)
@pytest.mark.parametrize(
    "kernel, stride, size, padding",
    [
        (2, 1, (4, 5), UNEVEN),
        (2, 2, (5, 4), NONE),
        (2, 3, (7, 6), SYMMETRIC),
        (3, 1, (5, 4), SYMMETRIC),
        (3, 2, (8, 8), ((0, 1), (0, 1))),
        (3, 2, (7, 8), SYMMETRIC),
        (3, 3, (8, 7), UNEVEN),
        (5, 1, (4, 4), ((2, 2), (2, 2))),
        (5, 2, (8, 7), ((1, 2), (2, 2))),
        (5, 3, (9, 8), UNEVEN),
        (7, 1, (7, 8), NONE),
        (7, 2, (8, 9), ((2, 3), (3, 3))),
        (7, 3, (4, 4), ((3, 3), (3, 3))),
    ],
)
def test_equals_the_grouped_convolution(kernel, stride, size, padding):
    check((kernel, kernel), stride, size, padding, jnp.float32, 1e-5)


@pytest.mark.parametrize("stride", [1, 2])
def test_bfloat16_stays_within_its_rounding(stride):
    check((3, 3), stride, (6, 7), SYMMETRIC, jnp.bfloat16, 2e-2)


@pytest.mark.parametrize(
    "stride, dilation, size", [(1, 2, (7, 6)), (2, 2, (8, 9)), (2, 3, (9, 8)), (3, 2, (8, 8))]
)
def test_a_dilated_kernel_meets_pixels_apart(stride, dilation, size):
    check((3, 3), stride, size, ((2, 2), (3, 1)), jnp.float32, 1e-5, dilation=dilation)


def test_kernels_need_not_be_square():
    check((2, 5), 2, (6, 9), UNEVEN, jnp.float32, 1e-5)


def test_a_stride_beyond_the_kernel_skips_pixels():
    check((1, 1), 2, (5, 4), NONE, jnp.float32, 1e-5)


@pytest.mark.parametrize("batch, channels", [(1, 1), (3, 2), (4, 700)])
def test_any_batch_and_width(batch, channels):
    check((3, 3), 2, (4, 5), SYMMETRIC, jnp.float32, 1e-5, batch, channels)
