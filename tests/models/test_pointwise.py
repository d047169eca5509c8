"""A 1x1 convolution as a matrix product has the gradients of the product, whichever side is the wider one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scaling.models.pointwise import pointwise


@pytest.mark.parametrize(("channels", "features"), [(7, 3), (3, 7), (5, 5)])
def test_gradients_are_those_of_the_product(channels, features, assert_close):
    random = np.random.default_rng(0)
    normal = lambda *shape: jnp.asarray(random.normal(size=shape), jnp.float32)
    x_nhwc, kernel_cf, grad_nhwf = (
        normal(2, 4, 5, channels),
        normal(channels, features),
        normal(2, 4, 5, features),
    )
    _, pull = jax.vjp(pointwise, x_nhwc, kernel_cf)
    _, expected = jax.vjp(lambda x, k: jnp.einsum("nhwc,cf->nhwf", x, k), x_nhwc, kernel_cf)
    assert_close(jax.jit(pull)(grad_nhwf), expected(grad_nhwf), 1e-5)
