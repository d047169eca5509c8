"""The record of a network's input: timm's arithmetic, its laws, and its way through JSON."""

import json

import numpy as np
import pytest
from PIL import Image

from scaling.weights.preprocessing import CROP_MODES, INTERPOLATIONS, Preprocessing

PLAIN = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}


def photo(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_a_picture_of_the_right_size_is_only_normalised():
    image, record = photo(8, 8), Preprocessing(8, crop=1.0)
    expected = (image.astype(np.float32) / 255 - np.float32(record.mean)) / np.float32(record.std)
    for mode in CROP_MODES:
        found = Preprocessing(8, crop=1.0, crop_mode=mode).apply(image)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_the_centre_is_cut_without_touching_pixels():
    """The shorter edge, 10, is side / crop already: rows 1 to 8, and columns round(6.5 / 2) on."""
    image = photo(10, 15)
    found = Preprocessing(8, crop=0.8, **PLAIN).apply(image)
    np.testing.assert_array_equal(found, image[1:9, 4:12].astype(np.float32) / np.float32(255))


@pytest.mark.parametrize("height, width, edges", [(40, 81, (20, 40)), (81, 40, (40, 20))])
def test_the_other_edge_is_cut_to_an_integer(height, width, edges):
    """20 * 81 / 40 = 40.5 becomes 40; the filter is Pillow's, on the whole picture."""
    whole = Image.fromarray(photo(height, width)).resize(edges[::-1], Image.Resampling.BICUBIC)
    top, left = (round((edge - 16) / 2) for edge in edges)
    expected = np.asarray(whole)[top : top + 16, left : left + 16]
    found = Preprocessing(16, crop=0.8, **PLAIN).apply(photo(height, width))
    np.testing.assert_array_equal(np.round(found * 255), expected)


def test_squash_keeps_no_aspect_and_border_fills_with_the_mean():
    image = np.zeros((10, 20, 3), np.uint8)
    image[:, :10] = 255
    squashed = Preprocessing(10, 1.0, "squash", "box", **PLAIN).apply(image)
    assert (squashed[:, :5] == 1).all() and (squashed[:, 5:] == 0).all()
    filled = Preprocessing(10, 1.0, "border", "box", (0.5, 0.5, 0.5), (1, 1, 1)).apply(image)
    np.testing.assert_allclose(filled[[0, 1, 7, 8, 9]], 128 / 255 - 0.5, atol=1e-6)
    assert (filled[2:7, :5] == 0.5).all() and (filled[2:7, 5:] == -0.5).all()


def test_a_crop_above_one_pads_with_black():
    white = np.full((8, 8, 3), 255, np.uint8)
    found = Preprocessing(8, crop=2.0, **PLAIN).apply(white)
    assert found[2:6, 2:6].min() == 1 and found.sum() == 4 * 4 * 3


@pytest.mark.parametrize("mode", CROP_MODES)
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_one_colour_stays_one_colour(mode, interpolation):
    image = np.full((33, 47, 3), [10, 100, 250], np.uint8)
    found = Preprocessing(24, 0.9, mode, interpolation, (10 / 255, 100 / 255, 250 / 255)).apply(image)
    np.testing.assert_allclose(found, np.zeros((24, 24, 3)), atol=1e-5)


def test_pillow_images_of_other_modes_are_converted():
    grey = photo(9, 7)[..., 0]
    record = Preprocessing(6)
    np.testing.assert_array_equal(
        record.apply(Image.fromarray(grey)), record.apply(np.repeat(grey[..., None], 3, axis=2))
    )
    one = Preprocessing(6, mean=(0.5,), std=(0.5,))
    assert one.apply(grey).shape == (6, 6, 1)
    np.testing.assert_array_equal(one.apply(grey), one.apply(grey[..., None]))


def test_the_record_survives_json():
    record = Preprocessing(288, 0.95, "squash", "bilinear", [0.5] * 3, (0.25, 0.25, 0.25))
    again = Preprocessing.from_dict(json.loads(json.dumps(record.to_dict())))
    assert again == record and hash(again) == hash(record)


@pytest.mark.parametrize(
    "changes, told",
    [
        ({"side": 0}, "side=0 must be an integer"),
        ({"crop": 0.0}, "crop=0.0 must be above 0"),
        ({"crop_mode": "centre"}, "crop_mode='centre' must be one of center"),
        ({"interpolation": "random"}, "interpolation='random' must be one of nearest"),
        ({"mean": (0.5, 0.5)}, "must be one or three numbers"),
        ({"std": (0.5, 0.5, 0.0)}, "must be 3 number"),
        ({"sides": 3}, "no field 'sides'; did you mean 'side'"),
    ],
)
def test_bad_records_say_what_to_do(changes, told):
    with pytest.raises(ValueError, match=told):
        Preprocessing.from_dict({"side": 8, **changes})


@pytest.mark.parametrize(
    "image", [np.zeros((4, 4, 3)), np.zeros((4, 4), np.uint8), np.zeros((3, 4, 4), np.uint8)]
)
def test_other_arrays_are_refused(image):
    with pytest.raises(ValueError, match=r"is not uint8\[H, W, 3\]"):
        Preprocessing(4).apply(image)
