"""Anchors: as many as are counted, about the centres of their places, of the peers' sizes."""

import numpy as np
import pytest

import scaling
from scaling.arch.anchors import DefaultBoxes, Level, OctaveAnchors, PixelAnchors

KINDS = {"octaves": OctaveAnchors(), "pixels": PixelAnchors(), "default": DefaultBoxes()}
LEVELS = [Level(8, 16, 24), Level(16, 8, 12), Level(32, 4, 6)]


@pytest.mark.parametrize("name", KINDS)
def test_boxes_follow_levels_rows_columns_and_anchors(name):
    kind = KINDS[name]
    boxes = kind.boxes(128, 192, LEVELS)
    counts = kind.counts(len(LEVELS))
    assert boxes.dtype == np.float32
    assert boxes.shape == (sum(n * rows * columns for n, (_, rows, columns) in zip(counts, LEVELS)), 4)
    assert (boxes[:, :2] < boxes[:, 2:]).all()
    first = boxes[: counts[0] * 16 * 24].reshape(16, 24, counts[0], 4)
    np.testing.assert_allclose(
        first[:, 1:] - first[:, :-1], np.broadcast_to([8, 0, 8, 0], (16, 23, counts[0], 4)), atol=1e-4
    )
    np.testing.assert_allclose(
        first[1:] - first[:-1], np.broadcast_to([0, 8, 0, 8], (15, 24, counts[0], 4)), atol=1e-4
    )


def test_retinanet_s_smallest_anchors_are_those_of_its_paper():
    sides = PixelAnchors().boxes(64, 64, [Level(8, 8, 8)])[:9] @ np.array([[-1, 0], [0, -1], [1, 0], [0, 1]])
    squares = sides[sides[:, 0] == sides[:, 1], 0]
    np.testing.assert_array_equal(squares, [32, 40, 50])  # 32 * 2**(k / 3), in whole pixels


def test_efficientdet_s_anchors_are_four_strides_in_three_octaves_and_shapes():
    sides = OctaveAnchors().boxes(64, 32, [Level(32, 2, 1)])[:9] @ np.array(
        [[-1, 0], [0, -1], [1, 0], [0, 1]]
    )
    base = 128 * 2 ** (np.arange(3) / 3)
    np.testing.assert_allclose(sides[::3], np.stack([base, base], -1), rtol=1e-6)
    np.testing.assert_allclose(sides[1::3], sides[::3] * [1.4, 0.7], rtol=1e-6)
    np.testing.assert_allclose(sides[2::3], sides[::3] * [0.7, 1.4], rtol=1e-6)


def test_ssd300_has_8732_boxes_whose_centres_are_steps_apart():
    steps = (8, 16, 32, 64, 100, 300)
    boxes = DefaultBoxes(scales=(0.07, 0.15, 0.33, 0.51, 0.69, 0.87, 1.05), steps=steps)
    levels = [Level(step, side, side) for step, side in zip(steps, (38, 19, 10, 5, 3, 1))]
    found = boxes.boxes(300, 300, levels)
    assert len(found) == 8732
    np.testing.assert_allclose(found[0], [4 - 10.5, 4 - 10.5, 4 + 10.5, 4 + 10.5], rtol=1e-6)
    np.testing.assert_allclose((found[:, :2] + found[:, 2:])[-1] / 2, [150, 150], rtol=1e-6)


@pytest.mark.parametrize("side", [150, 300, 512])
def test_ssd300_keeps_its_places_within_an_image_of_any_side(side):
    arch = scaling.get("ssd300_vgg16").replace(resolution=side)
    found = arch.head.priors.boxes(side, side, arch.head.levels(arch, side, side))
    centres = (found[:, :2] + found[:, 2:]) / 2
    assert 0 < centres.min() and centres.max() < 1.1 * side  # poolings that round up reach further
    if side <= 300:
        np.testing.assert_allclose(centres[-1], side / 2)  # the coarsest level is one place, the middle


@pytest.mark.parametrize(
    "anchors",
    [OctaveAnchors(octaves=0), PixelAnchors(ratios=()), DefaultBoxes(ratios=()), OctaveAnchors(scale=0)],
)
def test_anchors_of_no_size_are_refused(anchors):
    assert anchors.problem() and not type(anchors)().problem()
