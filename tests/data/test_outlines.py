"""Outlines as masks: pycocotools is the oracle, and what is no outline is refused."""

import numpy as np
import pytest

from scaling.data.outlines import covered

HEIGHT, WIDTH = 37, 53


def star(rng, corners=7):
    angles = np.sort(rng.uniform(0, 2 * np.pi, corners))
    far = rng.uniform(6, 17, corners)
    return np.stack([26 + far * np.cos(angles), 18 + far * np.sin(angles)], 1).ravel().round(1).tolist()


@pytest.mark.parametrize("seed", range(8))
def test_polygons_differ_from_the_peer_s_at_their_edges_alone(tools, seed):
    polygons = [star(np.random.default_rng(seed)), [1, 1, 9, 1, 9, 8, 1, 8]]
    ours = covered(polygons, HEIGHT, WIDTH)
    runs = tools.frPyObjects(polygons, HEIGHT, WIDTH)
    theirs = tools.decode(tools.merge(runs)).astype(bool)
    near = lambda mask: np.any([np.roll(mask, shift, axis) for shift in (-1, 0, 1) for axis in (0, 1)], 0)
    inside = ~near(~ours)
    assert np.all(theirs[inside]) and not np.any(theirs & ~near(ours))
    assert (ours & theirs).sum() >= 0.9 * (ours | theirs).sum()


def test_a_pixel_counts_where_its_centre_lies_within():
    triangle = covered([[0.6, 0.6, 10.6, 0.6, 0.6, 10.6]], HEIGHT, WIDTH)
    y, x = np.indices((HEIGHT, WIDTH)) + 0.5
    np.testing.assert_array_equal(triangle, (x > 0.6) & (y > 0.6) & (x + y < 11.2))


@pytest.mark.parametrize("density", [0.0, 0.02, 0.5, 1.0])
def test_run_lengths_are_read_exactly_as_numbers_and_as_text(tools, density):
    mask = np.random.default_rng(0).random((HEIGHT, WIDTH)) < density
    text = tools.encode(np.asfortranarray(mask.astype(np.uint8)))
    size, flat = [HEIGHT, WIDTH], mask.T.ravel()
    edges = np.flatnonzero(np.diff(flat, prepend=False))
    numbers = np.diff([0, *edges, flat.size]).tolist()
    for counts in (numbers, text["counts"].decode()):
        np.testing.assert_array_equal(covered({"size": size, "counts": counts}, HEIGHT, WIDTH), mask)


def test_what_leaves_the_image_is_cut_and_parts_are_joined():
    whole = covered([[-5, -5, 4, -5, 4, 400, -5, 400], [50, 0, 60, 0, 60, 400, 50, 400]], HEIGHT, WIDTH)
    assert whole[:, :4].all() and whole[:, 50:].all() and not whole[:, 5:49].any()


@pytest.mark.parametrize(
    "outline, words",
    [
        (None, "neither polygons nor run lengths"),
        ([], "neither polygons nor run lengths"),
        ([[1, 2, 3, 4]], "at least three corners"),
        ([[1, 2, 3, 4, 5, float("nan")]], "at least three corners"),
        ({"size": [HEIGHT, WIDTH], "counts": [5]}, "run lengths have 5 pixels"),
        ({"size": [WIDTH, HEIGHT], "counts": [HEIGHT * WIDTH]}, "rows and columns"),
        ({"size": [HEIGHT, WIDTH]}, "counts=None"),
    ],
)
def test_what_is_no_outline_is_refused(outline, words):
    with pytest.raises(ValueError, match=words):
        covered(outline, HEIGHT, WIDTH)
