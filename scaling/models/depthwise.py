"""Depthwise convolution as k * k shifted multiply-adds, with gradients of the same form.

XLA:CPU runs grouped `conv_general_dilated` at scalar speed; these forms fuse into vector loops.
The input gradient is computed a stride phase at a time, so that no product with zero is made; the
weight gradient loops over rows with its sums in cache (a fused reduction would run at scalar speed).
"""

from __future__ import annotations

from functools import partial
from typing import Any

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
    return lax.pad(
        x_nhwc, jnp.zeros((), x_nhwc.dtype), ((0, 0, 0), *((a, b, 0) for a, b in padding), (0, 0, 0))
    )


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


def _phase(grad_nhwc, taps_hwc, rows: int, cols: int) -> Any:
    """Sum grad[q - m] * tap[m] over the taps of one phase, for q in rows x cols."""
    th, tw = taps_hwc.shape[:2]
    oh, ow = grad_nhwc.shape[1:3]
    edges = ((th - 1, max(rows - oh, 0)), (tw - 1, max(cols - ow, 0)))
    padded = _pad(grad_nhwc, edges)
    n, _, _, c = padded.shape
    terms = (
        lax.slice(
            padded, (0, th - 1 - i, tw - 1 - j, 0), (n, th - 1 - i + rows, tw - 1 - j + cols, c)
        ).astype(jnp.float32)
        * taps_hwc[i, j].astype(jnp.float32)
        for i in range(th)
        for j in range(tw)
    )
    return sum(terms)


def _kernel_gradient(x_nhwc, grad_nhwc, shape, stride: int, padding: Padding):
    """Sum x * grad for every tap, one output row of a few examples at a time.

    The running sums of a row stay in cache and keep the columns apart, so that every operation is a
    plain vector multiply-add; columns are added up once, at the end.
    """
    kh, kw = shape[:2]
    padded = _pad(x_nhwc, padding)
    n, rows, cols, c = grad_nhwc.shape
    examples = _examples_a_row(n, kh * cols * c)

    def add_row(step, sums):
        example, row = (step // rows) * examples, step % rows
        window = (examples, kh, padded.shape[2], c)
        x = lax.dynamic_slice(padded, (example, row * stride, 0, 0), window).astype(jnp.float32)
        grad = lax.dynamic_slice(grad_nhwc, (example, row, 0, 0), (examples, 1, cols, c)).astype(jnp.float32)
        ends = [j + stride * (cols - 1) + 1 for j in range(kw)]
        taps = [x[:, :, j : ends[j] : stride] for j in range(kw)]
        return tuple(total + tap * grad for total, tap in zip(sums, taps))

    zero = jnp.zeros((examples, kh, cols, c), jnp.float32)
    sums = lax.fori_loop(0, n // examples * rows, add_row, (zero,) * kw)
    return jnp.stack([total.sum((0, 2)) for total in sums], axis=1)[:, :, None]


def _examples_a_row(n: int, size: int, cache: int = 8192) -> int:
    """The most examples (a divisor of n) whose row sums, `size` numbers each, stay in cache."""
    return max((d for d in range(1, n + 1) if n % d == 0 and d * size <= cache), default=1)
