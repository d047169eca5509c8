"""1x1 convolution as a matrix product, with gradients whose operands are read as they lie.

Left alone, XLA:CPU lets the operations before a weight gradient write their results transposed; the
barrier makes them plain arrays, which both gradients read. EfficientNet-B0's step takes a fifth less. A sum
over pixels runs up to twice as fast with the wider factor second, so a narrowing one is computed turned.
"""

from __future__ import annotations

import jax
from jax import lax


@jax.custom_vjp
def pointwise(x_nhwc, kernel_cf):
    """Multiply every pixel's channels by a matrix: (n, h, w, c), (c, f) -> (n, h, w, f)."""
    return lax.dot_general(x_nhwc, kernel_cf, (((3,), (0,)), ((), ())))


def _forward(x_nhwc, kernel_cf):
    return pointwise(x_nhwc, kernel_cf), (x_nhwc, kernel_cf)


def _backward(residuals, grad_nhwf):
    x_nhwc, kernel_cf = residuals
    x_nhwc, grad_nhwf = lax.optimization_barrier((x_nhwc, grad_nhwf))
    x_pc, grad_pf = (a.reshape(-1, a.shape[-1]) for a in (x_nhwc, grad_nhwf))
    grad_x = lax.dot_general(grad_nhwf, kernel_cf, (((3,), (1,)), ((), ())))
    return grad_x, _over_pixels(x_pc, grad_pf)


def _over_pixels(x_pc, grad_pf):
    """Return the sum over pixels, (c, f); the barrier keeps XLA from turning the product back."""
    if x_pc.shape[1] <= grad_pf.shape[1]:
        return lax.dot_general(x_pc, grad_pf, (((0,), (0,)), ((), ())))
    return lax.optimization_barrier(lax.dot_general(grad_pf, x_pc, (((0,), (0,)), ((), ())))).T


pointwise.defvjp(_forward, _backward)
