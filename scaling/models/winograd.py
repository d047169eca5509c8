"""3x3 convolution of stride 1 with 2.25 times fewer products: Winograd's minimal filtering, F(2x2, 3x3).

Tiles of 4x4 pixels, of which neighbours share two, and filters are turned into 16 values each; a product of
matrices, pixels by channels, for each of the 16 gives what turns into 2x2 outputs a tile. The gradients are
the same three steps read backwards. Source: arXiv 1509.09308, sections 4.1 and 4.2.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from scaling.models import native as kernels
from scaling.models.phases import Padding, interleave

SIDE = 3  # of a filter
TILE = 2  # outputs of a tile along an axis, which read TILE + SIDE - 1 pixels
# Where fewer products are less time, as measured (docs/decisions.md): channels in and out, c * f, tiles
LEAST_CHANNELS, LEAST_PRODUCT, LEAST_TILES = 64, 96**2, 128
MOST_VALUES = 2**26  # of turned images: they take 256 MiB
LEAST_NATIVE = 256  # channels from which on the C++ kernel sums over pixels faster than a product of XLA's

Turned = list[list[Any]]  # 4x4 arrays (n, rows, columns, channels), or (channels, features) of filters


def pays(shape, kernel_shape, window: kernels.Window) -> bool:
    """Whether it is the faster way for images (n, h, w, c) and filters (kh, kw, c, f)."""
    *sides, channels, features = kernel_shape
    if sides != [SIDE, SIDE] or window.stride != (1, 1) or window.groups != 1:
        return False
    if min(channels, features) < LEAST_CHANNELS or channels * features < LEAST_PRODUCT:
        return False
    rows, columns = (_tiles(size, window.dilation) for size in window.out(shape, sides))
    tiles = shape[0] * window.dilation**2 * rows * columns
    return tiles >= LEAST_TILES and 16 * tiles * max(channels, features) <= MOST_VALUES


@partial(jax.custom_vjp, nondiff_argnums=(2, 3, 4))
def winograd(x_nhwc, kernel_hwio, padding: Padding, dilation: int = 1, native: bool = False) -> Any:
    """Convolve: (n, h, w, c), (3, 3, c, f) -> (n, oh, ow, f), as `lax.conv_general_dilated` does at stride 1.

    `native`: sums over pixels may be the C++ kernels'.
    """
    out = kernels.Window((1, 1), padding, dilation).out(x_nhwc.shape, (SIDE, SIDE))
    images = _turned_images(x_nhwc, padding, out, dilation)
    filters = _turned_filters(kernel_hwio)
    over_channels = partial(lax.dot_general, dimension_numbers=(((3,), (0,)), ((), ())))
    return _outputs(_each(over_channels, images, filters), out, dilation)


def _forward(x_nhwc, kernel_hwio, padding, dilation, native):
    return winograd(x_nhwc, kernel_hwio, padding, dilation, native), (x_nhwc, kernel_hwio)


def _backward(padding, dilation, native, residuals, grad_nhwf):
    x_nhwc, kernel_hwio = residuals
    x_nhwc, grad_nhwf = lax.optimization_barrier((x_nhwc, grad_nhwf))
    grad_x = _input_gradient(grad_nhwf, kernel_hwio, padding, dilation, x_nhwc.shape)
    return grad_x, _kernel_gradient(x_nhwc, grad_nhwf, padding, dilation, native)


winograd.defvjp(_forward, _backward)


def _input_gradient(grad_nhwf, kernel_hwio, padding: Padding, dilation: int, shape):
    """Convolve with the filters turned round: of their 16 values along each axis the ends change places."""
    (top, bottom), (left, right) = padding
    span = (SIDE - 1) * dilation
    around = ((span - top, span - bottom), (span - left, span - right))
    images = _turned_images(grad_nhwf, around, shape[1:3], dilation)
    filters = _turned_filters(kernel_hwio)
    turned = [[filters[a][b] for b in (3, 1, 2, 0)] for a in (3, 1, 2, 0)]
    over_features = partial(lax.dot_general, dimension_numbers=(((3,), (1,)), ((), ())))
    return _outputs(_each(over_features, images, turned), shape[1:3], dilation)


def _kernel_gradient(x_nhwc, grad_nhwf, padding: Padding, dilation: int, native: bool):
    out = grad_nhwf.shape[1:3]
    images = _turned_images(x_nhwc, padding, out, dilation)
    sums = _each(partial(_over_pixels, native=native), images, _turned_gradients(grad_nhwf, dilation))
    rows = [_from_values(list(column)) for column in zip(*sums)]
    return jnp.stack([jnp.stack(_from_values(list(row))) for row in zip(*rows)])


def _over_pixels(x_nhwc, grad_nhwf, native: bool):
    """The sum over pixels of products of channels and features, (c, f)."""
    channels, features = x_nhwc.shape[-1], grad_nhwf.shape[-1]
    if native and min(channels, features) >= LEAST_NATIVE:
        window = kernels.Window((1, 1), ((0, 0), (0, 0)))
        return kernels.dense_kernel_gradient(x_nhwc, grad_nhwf, window, (1, 1, channels, features))[0, 0]
    x_pc, grad_pf = x_nhwc.reshape(-1, channels), grad_nhwf.reshape(-1, features)
    return lax.dot_general(x_pc, grad_pf, (((0,), (0,)), ((), ())))


def _turned_images(x_nhwc, padding: Padding, out, dilation: int) -> Turned:
    """The 4x4 values of each tile: d0 - d2, d1 + d2, d2 - d1, d1 - d3 along rows and along columns."""
    rows, columns = (_tiles(size, dilation) for size in out)
    sides = TILE * rows + SIDE - 1, TILE * columns + SIDE - 1
    apart = _apart(x_nhwc, (padding[0][0], padding[1][0]), sides, dilation)
    pixels = [
        [apart[:, a : a + TILE * rows : TILE, b : b + TILE * columns : TILE] for b in range(4)]
        for a in range(4)
    ]
    turned = lambda d: [d[0] - d[2], d[1] + d[2], d[2] - d[1], d[1] - d[3]]
    return _both_ways(turned, pixels)


def _turned_filters(kernel_hwio) -> Turned:
    """The 4x4 values of each filter: its ends, and half the sums with and without the middle's sign."""
    taps = [[kernel_hwio[a, b] for b in range(SIDE)] for a in range(SIDE)]
    turned = lambda g: [g[0], (g[0] + g[1] + g[2]) / 2, (g[0] - g[1] + g[2]) / 2, g[2]]
    return _both_ways(turned, taps)


def _turned_gradients(grad_nhwf, dilation: int) -> Turned:
    """The 4x4 values that a tile's 2x2 outputs were made of, as their gradients."""
    rows, columns = (_tiles(size, dilation) for size in grad_nhwf.shape[1:3])
    apart = _apart(grad_nhwf, (0, 0), (TILE * rows, TILE * columns), dilation)
    pixels = [[apart[:, a::TILE, b::TILE] for b in range(TILE)] for a in range(TILE)]
    return _both_ways(lambda y: [y[0], y[0] + y[1], y[0] - y[1], -y[1]], pixels)


def _outputs(products: Turned, out, dilation: int):
    """The 2x2 outputs of each tile, put together to (n, *out, f)."""
    made = _both_ways(lambda m: [m[0] + m[1] + m[2], m[1] - m[2] - m[3]], products)
    return _together(interleave(made), out, dilation)


def _from_values(sums: list[Any]) -> list[Any]:
    """The three taps' gradients, of those of a filter's four values."""
    half = (sums[1] + sums[2]) / 2
    return [sums[0] + half, (sums[1] - sums[2]) / 2, half + sums[3]]


def _both_ways(turn, grid: list[list[Any]]) -> Turned:
    """Apply `turn`, of a list, along rows and then along columns; nothing before is computed again."""
    columns = [turn(list(column)) for column in zip(*grid)]
    return lax.optimization_barrier([turn(list(row)) for row in zip(*columns)])


def _each(product, first: Turned, second: Turned) -> Turned:
    pairs = [[product(a, b) for a, b in zip(*rows)] for rows in zip(first, second)]
    return lax.optimization_barrier(pairs)


def _tiles(size: int, dilation: int) -> int:
    """How many tiles cover the outputs of a phase of an axis, of which there are as many as `dilation`."""
    return -(-size // (dilation * TILE))


def _apart(x_nhwc, low: tuple[int, int], sides: tuple[int, int], dilation: int):
    """Put `low` zeros before rows and columns, as many after as fill phases of `sides`; a phase an image."""
    n, h, w, c = x_nhwc.shape
    heights = low[0], dilation * sides[0] - h - low[0], 0
    widths = low[1], dilation * sides[1] - w - low[1], 0
    padded = lax.pad(x_nhwc, jnp.zeros((), x_nhwc.dtype), ((0, 0, 0), heights, widths, (0, 0, 0)))
    if dilation == 1:
        return padded
    split = padded.reshape(n, sides[0], dilation, sides[1], dilation, c)
    return split.transpose(0, 2, 4, 1, 3, 5).reshape(-1, *sides, c)


def _together(y_nhwf, out, dilation: int):
    """Put the pixels of phases in their places, and cut off what is none of an image's."""
    if dilation > 1:
        _, rows, columns, features = y_nhwf.shape
        split = y_nhwf.reshape(-1, dilation, dilation, rows, columns, features)
        y_nhwf = split.transpose(0, 3, 1, 4, 2, 5).reshape(-1, rows * dilation, columns * dilation, features)
    return y_nhwf[:, : out[0], : out[1]]
