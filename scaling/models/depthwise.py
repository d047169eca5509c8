"""Depthwise convolution as k * k shifted multiply-adds, with gradients of the same form.

XLA:CPU runs grouped `conv_general_dilated` at scalar speed; these forms fuse into vector loops.
The input gradient is computed a stride phase at a time, so that no product with zero is made; the
weight gradient adds products over the batch first (plain adds vectorise, a fused reduction does not).
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

Padding = tuple[tuple[int, int], tuple[int, int]]


@partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def depthwise(x_nhwc, kernel_hw1c, stride: int, padding: Padding):
    """Convolve each channel with its own k x k filter.

    Shapes: x (n, h, w, c), kernel (kh, kw, 1, c) -> (n, oh, ow, c), in x's dtype (products of
    bfloat16 are added in float32). Equals `lax.conv_general_dilated` with feature_group_count=c.
    """
    kh, kw = kernel_hw1c.shape[:2]
    padded = _pad(x_nhwc, padding)
    out = _out_size(padded, kh, kw, stride)
    terms = (
        _taps(padded, i, j, stride, out).astype(jnp.float32) * kernel_hw1c[i, j, 0].astype(jnp.float32)
        for i in range(kh)
        for j in range(kw)
    )
    return sum(terms).astype(x_nhwc.dtype)  # pyright: ignore[reportAttributeAccessIssue]


def _forward(x_nhwc, kernel_hw1c, stride, padding):
    return depthwise(x_nhwc, kernel_hw1c, stride, padding), (x_nhwc, kernel_hw1c)


def _backward(stride, padding, residuals, grad_nhwc):
    x_nhwc, kernel_hw1c = residuals
    return (
        _input_gradient(grad_nhwc, kernel_hw1c, stride, padding, x_nhwc.shape).astype(x_nhwc.dtype),
        _kernel_gradient(x_nhwc, grad_nhwc, kernel_hw1c.shape, stride, padding).astype(kernel_hw1c.dtype),
    )


depthwise.defvjp(_forward, _backward)


def _pad(x_nhwc, padding: Padding):
    return lax.pad(x_nhwc, jnp.zeros((), x_nhwc.dtype), ((0, 0, 0), *((a, b, 0) for a, b in padding), (0, 0, 0)))


def _out_size(padded_nhwc, kh: int, kw: int, stride: int) -> tuple[int, int]:
    h, w = padded_nhwc.shape[1:3]
    return (h - kh) // stride + 1, (w - kw) // stride + 1


def _taps(padded_nhwc, i: int, j: int, stride: int, out: tuple[int, int]):
    """The input pixel that filter tap (i, j) meets at each output pixel."""
    n, _, _, c = padded_nhwc.shape
    limits = (n, i + stride * (out[0] - 1) + 1, j + stride * (out[1] - 1) + 1, c)
    return lax.slice(padded_nhwc, (0, i, j, 0), limits, (1, stride, stride, 1))


def _input_gradient(grad_nhwc, kernel_hw1c, stride: int, padding: Padding, shape):
    """Correlate the output gradient with the taps of each stride phase, then interleave the phases."""
    kh, kw = kernel_hw1c.shape[:2]
    (top, bottom), (left, right) = padding
    n, h, w, c = shape
    rows, cols = -(-(h + top + bottom) // stride), -(-(w + left + right) // stride)
    phases = [
        [_phase(grad_nhwc, kernel_hw1c[a::stride, b::stride, 0], rows, cols) for b in range(min(stride, kw))]
        for a in range(min(stride, kh))
    ]
    zero = jnp.zeros((n, rows, cols, c), phases[0][0].dtype)
    full = [[phases[a][b] if a < kh and b < kw else zero for b in range(stride)] for a in range(stride)]
    if stride == 1:
        grid = full[0][0]
    else:
        grid = jnp.stack([jnp.stack(row, axis=3) for row in full], axis=2)
        grid = grid.reshape(n, rows * stride, cols * stride, c)
    return grid[:, top : top + h, left : left + w]


def _phase(grad_nhwc, taps_hwc, rows: int, cols: int):
    """Sum grad[q - m] * tap[m] over the taps of one phase, for q in rows x cols."""
    th, tw = taps_hwc.shape[:2]
    oh, ow = grad_nhwc.shape[1:3]
    edges = ((th - 1, max(rows - oh, 0)), (tw - 1, max(cols - ow, 0)))
    padded = _pad(grad_nhwc, edges)
    n, _, _, c = padded.shape
    terms = (
        lax.slice(padded, (0, th - 1 - i, tw - 1 - j, 0), (n, th - 1 - i + rows, tw - 1 - j + cols, c)).astype(
            jnp.float32
        )
        * taps_hwc[i, j].astype(jnp.float32)
        for i in range(th)
        for j in range(tw)
    )
    return sum(terms)


def _kernel_gradient(x_nhwc, grad_nhwc, shape, stride: int, padding: Padding):
    """Sum x * grad for every tap: over the batch by plain adds, then over rows and columns."""
    kh, kw = shape[:2]
    padded = _pad(x_nhwc, padding)
    out = grad_nhwc.shape[1:3]
    taps = [
        [_spatial_sum(_taps(padded, i, j, stride, out), grad_nhwc) for j in range(kw)] for i in range(kh)
    ]
    return jnp.stack([jnp.stack(row) for row in taps])[:, :, None]


def _spatial_sum(x_nhwc, grad_nhwc):
    n = x_nhwc.shape[0]
    groups = next(g for g in (8, 7, 6, 5, 4, 3, 2, 1) if n % g == 0)
    x_gmhwc = x_nhwc.reshape(groups, n // groups, *x_nhwc.shape[1:])
    grad_gmhwc = grad_nhwc.reshape(groups, n // groups, *grad_nhwc.shape[1:])
    products = (
        x_gmhwc[g].astype(jnp.float32) * grad_gmhwc[g].astype(jnp.float32) for g in range(groups)
    )
    return jnp.sum(sum(products), axis=(0, 1, 2))
