"""A strided convolution seen from its input: pixels of one phase (row and column modulo the stride) alike."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

Padding = tuple[tuple[int, int], tuple[int, int]]


def interleave(grid) -> Any:
    """Weave a stride x stride grid of (n, rows, columns, c) into (n, rows * stride, columns * stride, c)."""
    stride = len(grid)
    if stride == 1:
        return grid[0][0]
    n, rows, columns, c = grid[0][0].shape
    woven = jnp.stack([jnp.stack(row, axis=3) for row in grid], axis=2)
    return woven.reshape(n, rows * stride, columns * stride, c)


def phase_taps(kernel: int, stride: int, dilation: int, phase: int) -> list[tuple[int, int]]:
    """(tap, shift in output pixels) of the taps that meet the input pixels of a phase of one axis."""
    met = [k for k in range(kernel) if k * dilation % stride == phase]
    return [(k, (k * dilation - phase) // stride) for k in met]
