"""Pictures on a canvas: parts of them, which mirrored pixels continue at the edges, and bicubic resizing.

Edges are repeated where they mirror, so the pixel before the first one is the first."""

from __future__ import annotations

import math

import jax.numpy as jnp
import numpy as np

CUBIC = -0.5  # Keys' free parameter, which MATLAB's imresize takes too


def part(canvas_hwc, size_2, start_2, sides: tuple[int, int]):
    """Return `sides` pixels of a picture of `size_2`, from `start_2` on; either may lie outside of it."""
    size_2 = jnp.maximum(size_2, 1)  # what fills up a batch has none
    rows, columns = (_mirrored(start_2[i] + jnp.arange(sides[i]), size_2[i]) for i in (0, 1))
    return canvas_hwc[rows][:, columns]


def inside(sides: tuple[int, int], size_n2, shaved: int = 0):
    """Return which pixels of canvases are pictures', `shaved` pixels from their edges on, bool (n, h, w)."""
    along = lambda i: (
        (jnp.arange(sides[i])[None] >= shaved) & (jnp.arange(sides[i])[None] < size_n2[:, i, None] - shaved)
    )
    return along(0)[:, :, None] & along(1)[:, None, :]


def bicubic(x_nhwc, sides: tuple[int, int]):
    """Resize as MATLAB's imresize does: the window grows with what is left out, edges are mirrored."""
    rows, columns = (jnp.asarray(weights(x_nhwc.shape[1 + i], sides[i])) for i in (0, 1))
    return jnp.einsum("ih,nhwc,jw->nijc", rows, x_nhwc, columns)


def weights(side: int, wanted: int) -> np.ndarray:
    """The float32 matrix (wanted, side) that resizes an axis."""
    scale = wanted / side
    shrunk = min(scale, 1.0)
    reach = math.ceil(2 / shrunk) + 1
    centres = (np.arange(wanted) + 0.5) / scale - 0.5
    taps = np.floor(centres)[:, None].astype(int) + np.arange(-reach, reach + 1)[None]
    values = shrunk * _keys(shrunk * (centres[:, None] - taps))
    values /= values.sum(1, keepdims=True)
    found = np.zeros((wanted, side))
    np.add.at(found, (np.arange(wanted)[:, None], _mirrored(taps, side)), values)
    return found.astype(np.float32)


def _keys(x: np.ndarray) -> np.ndarray:
    """The cubic kernel of R. Keys, IEEE Transactions on Acoustics 29(6), 1981."""
    x = np.abs(x)
    near = (CUBIC + 2) * x**3 - (CUBIC + 3) * x**2 + 1
    far = CUBIC * (x**3 - 5 * x**2 + 8 * x - 4)
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))


def _mirrored(place, side):
    """The pixel of an axis of `side` that stands at a place, also before its beginning or after its end."""
    around = place % (2 * side)
    return around + (around >= side) * (2 * side - 1 - 2 * around)
