"""Normalisation by batch statistics with its own gradient: two sums a channel forward, two backward.

The closed form needs fewer operations than the derived one, which saves time and, on a CPU, where
every fused loop is compiled by itself, compile time.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax


@partial(jax.custom_vjp, nondiff_argnums=(3, 4))
def normalize(x_nhwc, scale_c, bias_c, eps: float, axis_name: str | None):
    """Return (y_nhwc in x's dtype, mean_c, biased variance_c), statistics in float32.

    With `axis_name` the statistics are those of all devices on that axis. No gradient flows through
    the returned statistics.
    """
    return _forward(x_nhwc, scale_c, bias_c, eps, axis_name)[0]


def _forward(x_nhwc, scale_c, bias_c, eps, axis_name):
    x = x_nhwc.astype(jnp.float32)
    mean, square = _average(_channel_sums(x, x * x), x_nhwc, axis_name)
    variance = jnp.maximum(square - jnp.square(mean), 0.0)
    inverse = lax.rsqrt(variance + eps)
    y = affine(x_nhwc, scale_c * inverse, bias_c - mean * scale_c * inverse)
    return (y, mean, variance), (x_nhwc, scale_c, mean, inverse)


def _backward(eps, axis_name, residuals, gradients):
    del eps
    x_nhwc, scale_c, mean, inverse = residuals
    grad_nhwc = gradients[0]
    x, grad = x_nhwc.astype(jnp.float32), grad_nhwc.astype(jnp.float32)
    total, product = _channel_sums(grad, grad * x)
    centred = product - mean * total
    grad_mean, centred_mean = _average((total, centred), x_nhwc, axis_name)
    factor, slope = scale_c * inverse, scale_c * inverse**3 * centred_mean
    grad_x = grad * factor - x * slope + (slope * mean - factor * grad_mean)
    return grad_x.astype(x_nhwc.dtype), centred * inverse, total


normalize.defvjp(_forward, _backward)


def affine(x_nhwc, factor_c, shift_c):
    """Return x * factor + shift, computed in float32, in x's dtype."""
    return (x_nhwc.astype(jnp.float32) * factor_c + shift_c).astype(x_nhwc.dtype)


def count(x_nhwc, axis_name: str | None) -> int:
    """Number of values a channel that the statistics average."""
    return x_nhwc.size // x_nhwc.shape[-1] * (lax.axis_size(axis_name) if axis_name else 1)


def _average(sums_c, x_nhwc, axis_name: str | None):
    means = jnp.stack(sums_c) / (x_nhwc.size // x_nhwc.shape[-1])
    return lax.pmean(means, axis_name) if axis_name else means


def _channel_sums(*terms_nhwc):
    return tuple(term.sum((0, 1, 2)) for term in terms_nhwc)
