"""Depthwise convolution as k * k shifted multiply-adds, with gradients of the same form.

XLA:CPU runs grouped `conv_general_dilated` at scalar speed; these forms fuse into vector loops.
The input gradient is computed a stride phase at a time, so that no product with zero is made; the
weight gradient loops over rows with its sums in cache (a fused reduction would run at scalar speed).
With `native` the three are C++ kernels (`scaling.models.native`), where float32 is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from scaling.models import native as kernels
from scaling.models.phases import Padding, interleave, phase_taps


@partial(jax.custom_vjp, nondiff_argnums=(2, 3, 4, 5))
def depthwise(
    x_nhwc, kernel_hw1c, stride: int, padding: Padding, dilation: int = 1, native: bool = False
) -> Any:
    """Convolve each channel with its own k x k filter.

    Shapes: x (n, h, w, c), kernel (kh, kw, 1, c) -> (n, oh, ow, c), in x's dtype (products of
    bfloat16 are added in float32). Equals `lax.conv_general_dilated` with feature_group_count=c.
    """
    sides = zip(x_nhwc.shape[1:3], kernel_hw1c.shape[:2], padding)
    out = tuple((sum(p) + size - (k - 1) * dilation - 1) // stride + 1 for size, k, p in sides)
    if native and x_nhwc.dtype == jnp.float32:
        return kernels.depthwise(x_nhwc, kernel_hw1c, stride, padding, dilation, out)
    padded = _pad(x_nhwc, padding)
    where = [(i, j) for i in range(kernel_hw1c.shape[0]) for j in range(kernel_hw1c.shape[1])]
    taps = _filter_taps(kernel_hw1c)
    pixels = (_taps(padded, i * dilation, j * dilation, stride, out) for i, j in where)
    return _sum_of_products(pixels, [taps[at] for at in where]).astype(x_nhwc.dtype)


def _forward(x_nhwc, kernel_hw1c, stride, padding, dilation, native):
    return depthwise(x_nhwc, kernel_hw1c, stride, padding, dilation, native), (x_nhwc, kernel_hw1c)


def _backward(stride, padding, dilation, native, residuals, grad_nhwc):
    x, kernel = residuals
    geometry = (stride, padding, dilation)
    if native and x.dtype == jnp.float32:
        return (
            kernels.depthwise_input_gradient(grad_nhwc, kernel, *geometry, x.shape),
            kernels.depthwise_kernel_gradient(x, grad_nhwc, *geometry, kernel.shape),
        )
    return (
        _input_gradient(grad_nhwc, kernel, *geometry, x.shape).astype(x.dtype),
        _kernel_gradient(x, grad_nhwc, *geometry, kernel.shape).astype(kernel.dtype),
    )


depthwise.defvjp(_forward, _backward)


def _pad(x_nhwc, padding: Padding):
    return lax.pad(
        x_nhwc, jnp.zeros((), x_nhwc.dtype), ((0, 0, 0), *((a, b, 0) for a, b in padding), (0, 0, 0))
    )


def _taps(padded_nhwc, i: int, j: int, stride: int, out: tuple[int, ...]):
    """The input pixels, from (i, j) on, that one filter tap meets at the output pixels."""
    n, _, _, c = padded_nhwc.shape
    limits = (n, i + stride * (out[0] - 1) + 1, j + stride * (out[1] - 1) + 1, c)
    return lax.slice(padded_nhwc, (0, i, j, 0), limits, (1, stride, stride, 1))


def _input_gradient(grad_nhwc, kernel_hw1c, stride: int, padding: Padding, dilation: int, shape):
    """Correlate the output gradient with the taps of each stride phase, then interleave the phases."""
    (top, bottom), (left, right) = padding
    h, w = shape[1:3]
    size = (-(-(h + top + bottom) // stride), -(-(w + left + right) // stride))

    def phase(a: int, b: int):
        rows, columns = (phase_taps(k, stride, dilation, at) for k, at in zip(kernel_hw1c.shape, (a, b)))
        return _phase(grad_nhwc, kernel_hw1c, rows, columns, size)

    grid = [[phase(a, b) for b in range(stride)] for a in range(stride)]
    return interleave(grid)[:, top : top + h, left : left + w]


def _phase(grad_nhwc, kernel_hw1c, row_taps, column_taps, size: tuple[int, int]) -> Any:
    """Sum grad[q - shift] * tap over the taps of one phase, for q in `size`."""
    n, oh, ow, c = grad_nhwc.shape
    if not row_taps or not column_taps:
        return jnp.zeros((n, *size, c), jnp.float32)
    above, before = row_taps[-1][1], column_taps[-1][1]
    padded = _pad(grad_nhwc, ((above, max(size[0] - oh, 0)), (before, max(size[1] - ow, 0))))
    taps = _filter_taps(kernel_hw1c)
    shifted = (
        _taps(padded, above - up, before - left, 1, size) for _, up in row_taps for _, left in column_taps
    )
    return _sum_of_products(shifted, [taps[i, j] for i, _ in row_taps for j, _ in column_taps])


def _filter_taps(kernel_hw1c) -> dict[tuple[int, int], Any]:
    """The (c,) float32 factors of each tap, split at once."""
    kh, kw, _, c = kernel_hw1c.shape
    rows = lax.split(lax.convert_element_type(kernel_hw1c, jnp.float32).reshape(kh * kw, c), (1,) * (kh * kw))
    return {divmod(at, kw): lax.squeeze(row, (0,)) for at, row in enumerate(rows)}


def _sum_of_products(pixels: Iterable[Any], taps: Sequence[Any]) -> Any:
    """Add pixel * tap in float32, in order.

    By `lax`, not `jnp`, operations: a network has thousands of them, and these are traced in half the time.
    """
    total = None
    for pixel, tap in zip(pixels, taps):
        factors = lax.broadcast_in_dim(tap, pixel.shape, (3,))
        product = lax.mul(lax.convert_element_type(pixel, jnp.float32), factors)
        total = product if total is None else lax.add(total, product)
    return total


def _kernel_gradient(x_nhwc, grad_nhwc, stride: int, padding: Padding, dilation: int, shape):
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
        window = (examples, (kh - 1) * dilation + 1, padded.shape[2], c)
        x = lax.dynamic_slice(padded, (example, row * stride, 0, 0), window)[:, ::dilation]
        grad = lax.dynamic_slice(grad_nhwc, (example, row, 0, 0), (examples, 1, cols, c)).astype(jnp.float32)
        starts = [j * dilation for j in range(kw)]
        taps = [x[:, :, j : j + stride * (cols - 1) + 1 : stride].astype(jnp.float32) for j in starts]
        return tuple(total + tap * grad for total, tap in zip(sums, taps))

    zero = jnp.zeros((examples, kh, cols, c), jnp.float32)
    sums = lax.fori_loop(0, n // examples * rows, add_row, (zero,) * kw)
    return jnp.stack([total.sum((0, 2)) for total in sums], axis=1)[:, :, None]


def _examples_a_row(n: int, size: int, cache: int = 8192) -> int:
    """The most examples (a divisor of n) whose row sums, `size` numbers each, stay in cache."""
    return max((d for d in range(1, n + 1) if n % d == 0 and d * size <= cache), default=1)
