"""Pooling of regions: equal to loops over bins, constant of constants, the ramp of a ramp, with gradients."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scaling.models.regions import (
    fitting_level,
    position_sensitive_pool,
    pyramid_align,
    roi_align,
    roi_pool,
)

SIDE, CHANNELS, GRID, STRIDE = 12, 4, 2, 8
RNG = np.random.default_rng(0)
MAP = RNG.normal(size=(SIDE, SIDE + 3, CHANNELS)).astype(np.float32)


def random_boxes(count=40, side=110.0):
    """Some reach beyond the map, some have less than a pixel of it."""
    start = RNG.uniform(0, side, (count, 2))
    return np.concatenate([start, start + RNG.uniform(0.5, side / 2, (count, 2))], -1).astype(np.float32)


BOXES = random_boxes()


def bilinear(x_hwc, y, x):
    """The definition, one value at a time."""
    height, width, channels = x_hwc.shape
    if y < -1 or y > height or x < -1 or x > width:
        return np.zeros(channels)
    (y0, y1, fy), (x0, x1, fx) = neighbours(y, height), neighbours(x, width)
    top = x_hwc[y0, x0] * (1 - fx) + x_hwc[y0, x1] * fx
    return top * (1 - fy) + (x_hwc[y1, x0] * (1 - fx) + x_hwc[y1, x1] * fx) * fy


def neighbours(place, size):
    place = max(place, 0.0)
    low = int(place)
    return (size - 1, size - 1, 0.0) if low >= size - 1 else (low, low + 1, place - low)


def align_loop(x_hwc, box, scale, grid, samples, aligned):
    x1, y1, x2, y2 = box.astype(float) * scale - 0.5 * aligned
    w, h = (x2 - x1, y2 - y1) if aligned else (max(x2 - x1, 1.0), max(y2 - y1, 1.0))
    found = np.zeros((grid, grid, x_hwc.shape[-1]))
    steps = [(i + 0.5) / samples for i in range(samples)]
    for i in range(grid):
        for j in range(grid):
            values = [
                bilinear(x_hwc, y1 + (i + u) * h / grid, x1 + (j + v) * w / grid)
                for u in steps
                for v in steps
            ]
            found[i, j] = np.mean(values, 0)
    return found


def bins_loop(x_hwc, box, scale, grid, last, reduce):
    x1, y1, x2, y2 = (math.floor(c * scale + 0.5) for c in box.astype(float))
    w, h = max(x2 - x1 + last, 1), max(y2 - y1 + last, 1)
    cut = lambda start, side, i, size: slice(
        min(max(start + i * side // grid, 0), size),
        min(max(start + math.ceil((i + 1) * side / grid), 0), size),
    )
    rows = [cut(y1, h, i, x_hwc.shape[0]) for i in range(grid)]
    columns = [cut(x1, w, j, x_hwc.shape[1]) for j in range(grid)]
    return np.array([[reduce(x_hwc[r, c], i, j) for j, c in enumerate(columns)] for i, r in enumerate(rows)])


@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize("samples", [1, 2])
def test_roi_align_equals_a_loop_over_samples(samples, aligned):
    found = jax.jit(lambda x, boxes: roi_align(x, boxes, 1 / STRIDE, GRID, samples, aligned))(MAP, BOXES)
    wanted = [align_loop(MAP, box, 1 / STRIDE, GRID, samples, aligned) for box in BOXES]
    np.testing.assert_allclose(found, wanted, atol=2e-5)


def test_roi_pool_equals_a_loop_over_bins():
    largest = lambda part, i, j: part.max((0, 1)) if part.size else np.zeros(CHANNELS)
    found = jax.jit(lambda x, boxes: roi_pool(x, boxes, 1 / STRIDE, 3))(MAP, BOXES)
    wanted = [bins_loop(MAP, box, 1 / STRIDE, 3, 1, largest) for box in BOXES]
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_position_sensitive_pooling_takes_the_mean_of_a_bin_s_own_channels():
    maps = RNG.normal(size=(SIDE, SIDE + 3, 2 * GRID**2)).astype(np.float32)
    own = lambda part, i, j: part.reshape(-1, 2, GRID, GRID)[:, :, i, j].mean(0) if part.size else np.zeros(2)
    found = jax.jit(lambda x, boxes: position_sensitive_pool(x, boxes, 1 / STRIDE, GRID))(maps, BOXES)
    wanted = [bins_loop(maps, box, 1 / STRIDE, GRID, 0, own) for box in BOXES]
    np.testing.assert_allclose(found, wanted, atol=2e-5)


POOLS = {
    "align": lambda x, boxes: roi_align(x, boxes, 1 / STRIDE, GRID),
    "aligned": lambda x, boxes: roi_align(x, boxes, 1 / STRIDE, GRID, aligned=True),
    "max": lambda x, boxes: roi_pool(x, boxes, 1 / STRIDE, GRID),
    "position_sensitive": lambda x, boxes: position_sensitive_pool(x, boxes, 1 / STRIDE, GRID),
}
WITHIN = np.array([[10, 12, 50, 70], [30, 8, 90, 88], [20, 20, 29, 31]], np.float32)


@pytest.mark.representatives("max", "position_sensitive")
@pytest.mark.parametrize("name", POOLS)
def test_a_constant_map_stays_constant_and_gradients_exist(name):
    pool, x = POOLS[name], np.full((SIDE, SIDE, GRID**2), 3.5, np.float32)

    @jax.jit
    def both(x):
        loss, gradient = jax.value_and_grad(lambda x: jnp.sum(jnp.sin(pool(x, WITHIN))))(x)
        return pool(x, WITHIN), loss, gradient

    found, _, gradient = both(x)
    np.testing.assert_allclose(found, 3.5, rtol=1e-4)
    assert np.isfinite(gradient).all() and np.any(gradient)


def test_a_ramp_is_read_at_the_centres_of_bins():
    """Values that stand at pixels' centres, of boxes that say where in pixels of the image: (x - 0.5)."""
    rows, columns = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    ramp = np.stack([(columns + 0.5) * STRIDE, (rows + 0.5) * STRIDE], -1)
    found = jax.jit(lambda x: roi_align(x, WITHIN, 1 / STRIDE, GRID, aligned=True))(ramp)
    parts = (np.arange(GRID) + 0.5) / GRID
    x = WITHIN[:, None, 0] + parts * (WITHIN[:, 2] - WITHIN[:, 0])[:, None]
    y = WITHIN[:, None, 1] + parts * (WITHIN[:, 3] - WITHIN[:, 1])[:, None]
    np.testing.assert_allclose(found[..., 0], np.broadcast_to(x[:, None], found.shape[:3]), rtol=1e-4)
    np.testing.assert_allclose(found[..., 1], np.broadcast_to(y[:, :, None], found.shape[:3]), rtol=1e-4)


def test_a_box_is_read_from_the_map_that_fits_its_side():
    strides = (4, 8, 16, 32)
    sides = np.array([10, 111, 112, 223, 224, 447, 448, 5000], np.float32)
    boxes = np.stack([np.zeros(8), np.zeros(8), sides, sides], -1).astype(np.float32)
    assert fitting_level(boxes, strides, 224).tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    levels = [np.full((1024 // s, 1024 // s, 1), i, np.float32) for i, s in enumerate(strides)]
    found = jax.jit(lambda boxes: pyramid_align(levels, boxes, strides, 3))(boxes[:7])
    np.testing.assert_allclose(found[:, 1, 1, 0], [0, 0, 1, 1, 2, 2, 3])


@pytest.mark.nightly
def test_torchvision_defines_roi_align_alike():
    torch = pytest.importorskip("torch")
    from experiments.benchmarks.peers import torchvision_shim

    torchvision_shim.make_importable()
    pytest.importorskip("torchvision")
    from torchvision.ops.roi_align import _roi_align

    # Beyond the map its Python definition goes on where its compiled one has 0
    within = np.minimum(BOXES, (SIDE - 1) * STRIDE)
    x, boxes = (torch.from_numpy(array) for array in (MAP.transpose(2, 0, 1)[None].copy(), within))
    rois = torch.cat([torch.zeros(len(boxes), 1), boxes], 1)
    for aligned in (True, False):
        with torch.compiler.set_stance("force_eager"):  # it would compile for half a minute
            wanted = _roi_align(x, rois, 1 / STRIDE, GRID, GRID, 2, aligned).numpy().transpose(0, 2, 3, 1)
        found = roi_align(jnp.asarray(MAP), within, 1 / STRIDE, GRID, 2, aligned)
        np.testing.assert_allclose(found, wanted, atol=2e-5)
