"""Winograd's convolution is the one that JAX has, in value and gradients; where it pays is told by shapes."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from scaling.models import layers
from scaling.models.native import Window
from scaling.models.operators import LAX
from scaling.models.winograd import LEAST_TILES, pays, winograd

ONE = ((1, 1), (1, 1))


def plain(x_nhwc, kernel_hwio, padding, dilation):
    return lax.conv_general_dilated(
        x_nhwc,
        kernel_hwio,
        (1, 1),
        padding,
        rhs_dilation=(dilation, dilation),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )


def normal(*shape, seed: int = 0):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


def run(convolution, x_nhwc, kernel_hwio, padding, dilation):
    """The output, and the gradients of a weighted sum of it."""

    @jax.jit
    def both(x, kernel):
        y, pull = jax.vjp(lambda *given: convolution(*given, padding, dilation), x, kernel)
        return y, *pull(jnp.cos(jnp.arange(y.size, dtype=jnp.float32)).reshape(y.shape))

    return both(x_nhwc, kernel_hwio)


@pytest.mark.parametrize(
    ("size", "padding", "dilation"),
    [
        ((8, 6), ONE, 1),
        ((7, 9), ONE, 1),
        ((5, 4), ((0, 0), (0, 0)), 1),
        ((6, 5), ((0, 2), (3, 1)), 1),
        ((9, 10), ((2, 2), (2, 2)), 2),
        ((7, 11), ((3, 3), (3, 3)), 3),
        ((12, 9), ((0, 1), (4, 0)), 4),
        ((3, 3), ((0, 0), (0, 0)), 1),
        ((2, 1), ONE, 1),
    ],
)
def test_equals_the_convolution_of_jax(size, padding, dilation):
    x_nhwc, kernel_hwio = normal(2, *size, 5), normal(3, 3, 5, 4, seed=1)
    ours = run(winograd, x_nhwc, kernel_hwio, padding, dilation)
    theirs = run(plain, x_nhwc, kernel_hwio, padding, dilation)
    for found, expected in zip(ours, theirs):
        assert found.shape == expected.shape
        scale = np.abs(
            expected
        ).max()  # values are added and taken away again: what is lost goes by the largest
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * scale)


def test_its_error_is_a_few_times_that_of_the_sums_it_replaces():
    """Of many channels, against the same in double precision."""
    x_nhwc, kernel_hwio = normal(1, 8, 8, 512), normal(3, 3, 512, 3, seed=1)
    whole = plain(*(np.asarray(a, np.float64) for a in (x_nhwc, kernel_hwio)), ONE, 1)
    spread = np.std(whole)
    assert np.abs(winograd(x_nhwc, kernel_hwio, ONE) - whole).max() < 1e-6 * np.sqrt(9 * 512) * spread


@pytest.mark.parametrize(
    ("kernel", "images", "dilation", "expected"),
    [
        ((3, 3, 128, 128), (8, 28, 28, 128), 1, True),
        ((3, 3, 64, 192), (8, 28, 28, 64), 1, True),
        ((3, 3, 512, 512), (4, 28, 28, 512), 4, True),
        (
            (3, 3, 64, 64),
            (8, 56, 56, 64),
            1,
            False,
        ),  # products of narrow matrices save less than turning costs
        ((3, 3, 32, 512), (8, 56, 56, 32), 1, False),
        ((5, 5, 128, 128), (8, 28, 28, 128), 1, False),
        ((3, 1, 128, 128), (8, 28, 28, 128), 1, False),
        ((3, 3, 512, 512), (1, 7, 7, 512), 1, False),  # few pixels for the filters to be turned for
        ((3, 3, 128, 128), (64, 224, 224, 128), 1, False),  # turned images would take gigabytes
    ],
)
def test_where_it_pays(kernel, images, dilation, expected):
    window = Window((1, 1), ((dilation, dilation), (dilation, dilation)), dilation)
    assert pays(images, kernel, window) is expected
    assert not pays(images, kernel, dataclasses.replace(window, stride=(2, 2)))
    assert not pays(images, kernel, dataclasses.replace(window, groups=2))


def test_a_layer_takes_it_where_its_operators_say_and_it_pays(monkeypatch):
    asked = []
    monkeypatch.setattr(layers, "winograd", lambda x, _, *given: asked.append(given) or x)
    side = 2 * math.ceil(LEAST_TILES**0.5)
    x_nhwc, kernel_hwio = jnp.zeros((1, side, side, 96)), jnp.zeros((3, 3, 96, 96))
    settings = layers.Settings(operators=dataclasses.replace(LAX, winograd=True))
    layers.convolve(x_nhwc, kernel_hwio, 1, 1, settings)
    assert asked == [(ONE, 1, False)]
    for change in ({"operators": LAX}, {"dtype": jnp.bfloat16}):
        other = dataclasses.replace(settings, **change)
        layers.convolve(x_nhwc, kernel_hwio.astype(other.dtype), 1, 1, other)
    assert len(asked) == 1
