"""Max pooling with its own gradient is the one that JAX has, ties and all."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from scaling.models.layers import Settings, pool
from scaling.models.max_pool import MOST, max_pool
from scaling.models.operators import operators_of


def plain(x_nhwc, kernel, stride, padding):
    window, strides = (1, kernel, kernel, 1), (1, stride, stride, 1)
    return lax.reduce_window(x_nhwc, -jnp.inf, lax.max, window, strides, ((0, 0), *padding, (0, 0)))


def value_and_gradient(pool, x_nhwc):
    y, pull = jax.vjp(pool, x_nhwc)
    weights = jnp.cos(jnp.arange(y.size, dtype=jnp.float32)).reshape(y.shape)
    return y, *pull(weights.astype(y.dtype))


@pytest.mark.representatives(6)
@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding"),
    [
        ((8, 8), 3, 2, ((1, 1), (1, 1))),
        ((7, 9), 3, 2, ((0, 1), (1, 0))),
        ((6, 6), 2, 2, ((0, 0), (0, 0))),
        ((7, 7), 3, 1, ((1, 1), (1, 1))),
        ((9, 8), 2, 3, ((0, 0), (0, 1))),
        ((13, 13), 3, 2, ((0, 0), (0, 0))),
    ],
)
@pytest.mark.parametrize("values", ["distinct", "tied"])
def test_equals_the_pooling_of_jax(size, kernel, stride, padding, values):
    rng = np.random.default_rng(0)
    shape = (2, *size, 5)
    x = rng.normal(size=shape) if values == "distinct" else rng.integers(0, 2, shape)
    x_nhwc = jnp.asarray(x, jnp.float32)
    run = lambda pool: jax.jit(lambda x: value_and_gradient(lambda x: pool(x, kernel, stride, padding), x))
    ours, theirs = (run(pool)(x_nhwc) for pool in (max_pool, plain))
    for one, two in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-6, atol=1e-6)


def test_bfloat16_keeps_its_type():
    x_nhwc = jnp.asarray(np.random.default_rng(0).normal(size=(2, 6, 6, 3)), jnp.bfloat16)
    y, grad = value_and_gradient(lambda x: max_pool(x, 3, 2, ((1, 1), (1, 1))), x_nhwc)
    assert y.dtype == grad.dtype == jnp.bfloat16


def test_what_is_not_a_number_is_passed_on():
    x_nhwc = jnp.ones((1, 4, 4, 1)).at[0, 1, 1, 0].set(jnp.nan)
    assert bool(jnp.isnan(max_pool(x_nhwc, 2, 2, ((0, 0), (0, 0)))[0, 0, 0, 0]))


def test_a_window_of_more_pixels_than_a_mark_tells_apart_is_pooled():
    x_nhwc = jnp.asarray(np.random.default_rng(0).normal(size=(1, 18, 18, 2)), jnp.float32)
    form = "max", MOST + 2, 1
    ours, theirs = (
        value_and_gradient(
            lambda x, how=how: pool(x, *form, Settings(operators=operators_of(how)), 0), x_nhwc
        )
        for how in ("cpu", "lax")
    )
    jax.tree.map(np.testing.assert_array_equal, ours, theirs)
