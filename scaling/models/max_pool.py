"""Max pooling whose gradient remembers, for each window, which pixel won.

XLA:CPU finds the winners again, at scalar speed: in ResNet-50's training step that one layer took as long
as several convolutions.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from scaling.models.phases import Padding, interleave, phase_taps

NOBODY = 255  # marks where no window is
MOST = 15  # rows and columns of a window whose pixels a mark tells apart


@partial(jax.custom_vjp, nondiff_argnums=(1, 2, 3, 4))
def max_pool(x_nhwc, kernel: int, stride: int, padding: Padding, dilation: int = 1) -> Any:
    """Return the largest pixel of each k x k window; padded ones never win. At most `MOST` rows."""
    return _forward(x_nhwc, kernel, stride, padding, dilation)[0]


def _forward(x_nhwc, kernel, stride, padding, dilation):
    first, *others = _taps(x_nhwc, kernel, stride, padding, dilation)
    largest, winner = first, jnp.zeros(first.shape, jnp.uint8)
    for number, tap in enumerate(others, start=1):
        winner = jnp.where(tap > largest, jnp.uint8(number), winner)  # of equal ones the first wins
        largest = jnp.maximum(largest, tap)
    return largest, (winner, jnp.zeros((0, *x_nhwc.shape), x_nhwc.dtype))


def _backward(kernel, stride, padding, dilation, residuals, grad_nhwc):
    winner, like = residuals
    shape, ((top, bottom), (left, right)) = like.shape[1:], padding
    size = (-(-(shape[1] + top + bottom) // stride), -(-(shape[2] + left + right) // stride))

    def phase(a: int, b: int):
        rows, columns = (phase_taps(kernel, stride, dilation, at) for at in (a, b))
        if not rows or not columns:
            return jnp.zeros((shape[0], *size, shape[3]), grad_nhwc.dtype)
        before = rows[-1][1], columns[-1][1]
        edges = [(low, max(have - out, 0)) for low, have, out in zip(before, size, grad_nhwc.shape[1:3])]
        grad, won = _pad(grad_nhwc, 0, edges), _pad(winner, NOBODY, edges)
        total: Any = 0
        for i, up in rows:
            for j, back in columns:
                starts = before[0] - up, before[1] - back
                here = (slice(None), *(slice(at, at + length) for at, length in zip(starts, size)))
                total += jnp.where(won[here] == i * kernel + j, grad[here], 0)
        return total

    grid = [[phase(a, b) for b in range(stride)] for a in range(stride)]
    return (interleave(grid)[:, top : top + shape[1], left : left + shape[2]].astype(like.dtype),)


max_pool.defvjp(_forward, _backward)


def _taps(x_nhwc, kernel: int, stride: int, padding: Padding, dilation: int):
    """Yield, window place by window place, the pixel that each window has there."""
    padded = _pad(x_nhwc, -jnp.inf, padding)
    starts = [tap * dilation for tap in range(kernel)]
    rows, columns = ((side - starts[-1] - 1) // stride * stride + 1 for side in padded.shape[1:3])
    for i in starts:
        for j in starts:
            yield padded[:, i : i + rows : stride, j : j + columns : stride]


def _pad(x_nhwc, value, edges):
    widths = ((0, 0, 0), *((low, high, 0) for low, high in edges), (0, 0, 0))
    return lax.pad(x_nhwc, jnp.asarray(value, x_nhwc.dtype), widths)
