"""Dense and grouped k x k convolution with gradients written as plain convolutions of stride 1.

XLA:CPU runs a convolution fast where its operands lie as images and filters do. The gradients that JAX
derives do not, and within a loop they run at scalar speed (CIFAR ResNet: 60 times slower); a grouped
one always does. Here every convolution has the fast form, so that stages can be loops.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from scaling.models import native as kernels
from scaling.models.phases import Padding, interleave

LEAST_CHUNK = 32  # input channels of one convolution that stands for several groups
FEW_TAPS = 32  # values of a filter up to which a strided convolution is faster as a matrix product
MOST_CHUNKS = 16  # convolutions for a grouped one: each has to be compiled


@partial(jax.custom_vjp, nondiff_argnums=(2, 3, 4))
def dense(x_nhwc, kernel_hwio, stride: int, padding: Padding, dilation: int = 1) -> Any:
    """Convolve: (n, h, w, c), (kh, kw, c, f) -> (n, oh, ow, f), as `lax.conv_general_dilated` does."""
    if stride > 1 and dilation == 1 and math.prod(kernel_hwio.shape[:3]) <= FEW_TAPS:
        return _by_columns(x_nhwc, kernel_hwio, stride, padding)
    return _convolve(x_nhwc, kernel_hwio, padding, stride, dilation)


def _forward(x_nhwc, kernel_hwio, stride, padding, dilation):
    return dense(x_nhwc, kernel_hwio, stride, padding, dilation), (x_nhwc, kernel_hwio)


def _backward(stride, padding, dilation, residuals, grad_nhwf):
    x_nhwc, kernel_hwio = residuals
    x_nhwc, grad_nhwf = lax.optimization_barrier((x_nhwc, grad_nhwf))
    spread = _spread(kernel_hwio, dilation)
    grad_x = _input_gradient(grad_nhwf, spread, stride, padding, x_nhwc.shape)
    grad_kernel = _kernel_gradient(x_nhwc, grad_nhwf, spread.shape, stride, padding)
    return grad_x, grad_kernel[::dilation, ::dilation]


dense.defvjp(_forward, _backward)


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def native_dense(x_nhwc, kernel_hwio, window: kernels.Window) -> Any:
    """Convolve float32 images by C++ kernels: (n, h, w, c), (kh, kw, c / groups, f) -> (n, oh, ow, f)."""
    return kernels.dense(x_nhwc, kernel_hwio, window, window.out(x_nhwc.shape, kernel_hwio.shape[:2]))


def _native_forward(x_nhwc, kernel_hwio, window):
    return native_dense(x_nhwc, kernel_hwio, window), (x_nhwc, kernel_hwio)


def _native_backward(window, residuals, grad_nhwf):
    x_nhwc, kernel_hwio = residuals
    return (
        kernels.dense_input_gradient(grad_nhwf, kernel_hwio, window, x_nhwc.shape),
        kernels.dense_kernel_gradient(x_nhwc, grad_nhwf, window, kernel_hwio.shape),
    )


native_dense.defvjp(_native_forward, _native_backward)


def grouped(x_nhwc, kernel_hwio, groups: int, stride: int, padding: Padding, dilation: int = 1) -> Any:
    """Convolve groups of channels apart: (n, h, w, c), (kh, kw, c / groups, f) -> (n, oh, ow, f).

    A few groups at a time are one dense convolution whose filters are zero between groups: more
    products, far less time.
    """
    channels, (kh, kw, size, features) = x_nhwc.shape[-1], kernel_hwio.shape
    joined = _groups_a_chunk(groups, size)
    chunks = groups // joined
    parts = kernel_hwio.reshape(kh, kw, size, chunks, joined, features // groups)
    eye = jnp.eye(joined, dtype=kernel_hwio.dtype)
    blocks = jnp.einsum("hwsnjf,jk->nhwksjf", parts, eye)
    blocks = blocks.reshape(chunks, kh, kw, joined * size, features // chunks)
    images = lax.split(x_nhwc, (channels // chunks,) * chunks, axis=3)
    return jnp.concatenate([dense(x, blocks[i], stride, padding, dilation) for i, x in enumerate(images)], 3)


def _groups_a_chunk(groups: int, size: int) -> int:
    """The fewest groups, a divisor of all, that fill a chunk without too many chunks."""
    enough = (n for n in range(1, groups + 1) if groups % n == 0 and n * size >= LEAST_CHUNK)
    return next((n for n in enough if groups // n <= MOST_CHUNKS), groups)


def _convolve(x_nhwc, kernel_hwio, padding: Padding, stride: int = 1, dilation: int = 1) -> Any:
    return lax.conv_general_dilated(
        x_nhwc,
        kernel_hwio,
        (stride, stride),
        padding,
        rhs_dilation=(dilation, dilation),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )


def _by_columns(x_nhwc, kernel_hwio, stride: int, padding: Padding) -> Any:
    """Gather each output pixel's taps side by side, then multiply by the filters: for a colour stem."""
    kh, kw, _, features = kernel_hwio.shape
    padded = jnp.pad(x_nhwc, ((0, 0), *padding, (0, 0)))
    rows, columns = ((size - k) // stride + 1 for size, k in zip(padded.shape[1:3], (kh, kw)))
    ends = stride * (rows - 1) + 1, stride * (columns - 1) + 1
    taps = [
        padded[:, i : i + ends[0] : stride, j : j + ends[1] : stride] for i in range(kh) for j in range(kw)
    ]
    gathered = lax.optimization_barrier(jnp.concatenate(taps, axis=3))
    return lax.dot_general(gathered, kernel_hwio.reshape(-1, features), (((3,), (0,)), ((), ())))


def _spread(kernel_hwio, dilation: int):
    """Write a dilated kernel out, zeros between its taps."""
    between = dilation - 1
    zero = jnp.zeros((), kernel_hwio.dtype)
    return lax.pad(kernel_hwio, zero, ((0, 0, between), (0, 0, between), (0, 0, 0), (0, 0, 0)))


def _input_gradient(grad_nhwf, kernel_hwio, stride: int, padding: Padding, shape):
    """Convolve with the turned taps of each stride phase, then interleave the phases."""
    (top, bottom), (left, right) = padding
    n, h, w, c = shape
    if stride == 1:
        return _convolve(grad_nhwf, _turned(kernel_hwio), _turned_padding(kernel_hwio.shape, padding))
    rows, columns = -(-(h + top + bottom) // stride), -(-(w + left + right) // stride)

    def phase(a: int, b: int):
        taps = kernel_hwio[a::stride, b::stride]
        if not taps.size:
            return jnp.zeros((n, rows, columns, c), grad_nhwf.dtype)
        (kh, kw), (oh, ow) = taps.shape[:2], grad_nhwf.shape[1:3]
        return _convolve(grad_nhwf, _turned(taps), ((kh - 1, rows - oh), (kw - 1, columns - ow)))

    grid = [[phase(a, b) for b in range(stride)] for a in range(stride)]
    return interleave(grid)[:, top : top + h, left : left + w]


def _turned(kernel_hwio):
    return lax.optimization_barrier(kernel_hwio[::-1, ::-1].transpose(0, 1, 3, 2))


def _turned_padding(shape, padding: Padding) -> Padding:
    """The padding with which a turned kernel of stride 1 gives the pixels of the images, and no others."""
    rows, columns = ((k - 1 - low, k - 1 - high) for k, (low, high) in zip(shape, padding))
    return rows, columns


def _kernel_gradient(x_nhwc, grad_nhwf, shape, stride: int, padding: Padding):
    """Convolve images by output gradients, channels as the batch: each stride phase gives its taps."""
    (kh, kw), (oh, ow) = shape[:2], grad_nhwf.shape[1:3]
    filters_hwnf = lax.optimization_barrier(grad_nhwf.transpose(1, 2, 0, 3))
    x_chwn = x_nhwc.transpose(3, 1, 2, 0)
    total = jnp.zeros(shape, x_nhwc.dtype)
    for a in range(min(stride, kh)):
        for b in range(min(stride, kw)):
            counts = -(-(kh - a) // stride), -(-(kw - b) // stride)
            first_row, row_edges = _phase_edges(a, stride, padding[0][0], x_nhwc.shape[1], oh, counts[0])
            first_column, column_edges = _phase_edges(
                b, stride, padding[1][0], x_nhwc.shape[2], ow, counts[1]
            )
            phase = lax.optimization_barrier(x_chwn[:, first_row::stride, first_column::stride])
            found_chwf = _convolve(phase, filters_hwnf, (row_edges, column_edges))
            total = total.at[a::stride, b::stride].set(found_chwf.transpose(1, 2, 0, 3))
    return total


def _phase_edges(
    at: int, stride: int, low: int, size: int, out: int, taps: int
) -> tuple[int, tuple[int, int]]:
    """The first pixel of a phase, and the padding that makes `out` long filters fit `taps` times.

    Pixel p of the phase lies at p * stride + first; tap t of output o reads pixel o + t - before.
    """
    before = -((at - low) // stride) if at < low else 0
    first = at - low + before * stride
    have = len(range(first, size, stride))
    return first, (before, out + taps - 1 - before - have)
