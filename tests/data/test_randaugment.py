"""Each RandAugment operation equals Pillow's, and the fifteen share one pass."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from scaling.data.randaugment import OPERATIONS, apply, randaugment, rising

SIDE, MAGNITUDE = 31, 7.0


def picture(channels=3, low=20, high=200) -> np.ndarray:
    """A smooth image whose values leave room on both sides."""
    coarse = np.random.default_rng(1).integers(low, high, (6, 6, 3), np.uint8)
    smooth = np.asarray(Image.fromarray(coarse).resize((SIDE, SIDE), Image.Resampling.BILINEAR))
    return smooth[..., :channels]


@functools.cache
def compiled(magnitude):
    return jax.jit(lambda image, choice, sign: apply(image, choice, rising(magnitude / 10, sign)))


def apply_named(image, name, magnitude=MAGNITUDE, sign=1.0):
    return np.asarray(compiled(magnitude)(jnp.asarray(image, jnp.float32), OPERATIONS.index(name), sign))


def affine(image, matrix):
    """Pillow's affine map about the centre."""
    half = SIDE / 2
    (a, b, c), (d, e, f) = matrix
    coefficients = (a, b, c + half - a * half - b * half, d, e, f + half - d * half - e * half)
    resampling, fill = Image.Resampling.NEAREST, (128, 128, 128)
    return image.transform(image.size, Image.Transform.AFFINE, coefficients, resampling, fillcolor=fill)


PILLOW = {
    "autocontrast": lambda image, s: ImageOps.autocontrast(image),
    "equalize": lambda image, s: ImageOps.equalize(image),
    "invert": lambda image, s: ImageOps.invert(image),
    "posterize": lambda image, s: ImageOps.posterize(image, 5),
    "solarize": lambda image, s: ImageOps.solarize(image, 256 - 179),
    "solarize_add": lambda image, s: image.point(lambda v: min(255, v + 77) if v < 128 else v),
    "brightness": lambda image, s: ImageEnhance.Brightness(image).enhance(1 + s * 0.63),
    "contrast": lambda image, s: ImageEnhance.Contrast(image).enhance(1 + s * 0.63),
    "color": lambda image, s: ImageEnhance.Color(image).enhance(1 + s * 0.63),
    "sharpness": lambda image, s: ImageEnhance.Sharpness(image).enhance(1 + s * 0.63),
    "rotate": lambda image, s: image.rotate(s * 21, Image.Resampling.NEAREST, fillcolor=(128, 128, 128)),
    "shear_x": lambda image, s: affine(image, [[1, s * 0.21, 0], [0, 1, 0]]),
    "shear_y": lambda image, s: affine(image, [[1, 0, 0], [s * 0.21, 1, 0]]),
    "translate_x": lambda image, s: affine(image, [[1, 0, s * 0.315 * SIDE], [0, 1, 0]]),
    "translate_y": lambda image, s: affine(image, [[1, 0, 0], [0, 1, s * 0.315 * SIDE]]),
}


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_equals_pillows(name, sign):
    expected = np.asarray(PILLOW[name](Image.fromarray(picture()), sign)).astype(int)
    difference = np.abs(apply_named(picture(), name, sign=sign) - expected)
    # Ties of the nearest pixel and of rounding may fall to either side: one level, or a few pixels.
    assert (difference > 2).mean() < 0.02
    assert not np.array_equal(expected, picture()), "the comparison can fail"


@pytest.mark.parametrize("name", sorted(set(OPERATIONS) - {"autocontrast", "equalize", "invert"}))
def test_magnitude_zero_changes_nothing(name):
    np.testing.assert_array_equal(apply_named(picture(), name, magnitude=0.0), picture())


@pytest.mark.parametrize("name", sorted(set(OPERATIONS) - {"autocontrast", "equalize", "invert"}))
def test_severity_grows_with_magnitude(name):
    mild, strong = (np.abs(apply_named(picture(), name, m) - picture()).mean() for m in (2.5, 10.0))
    assert 0 < mild < strong


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", OPERATIONS)
def test_levels_stay_whole_and_in_range(name, channels):
    for image in (picture(channels), np.zeros((SIDE, SIDE, channels)), np.full((SIDE, SIDE, channels), 255)):
        result = apply_named(image, name, 10.0, -1.0)
        assert result.min() >= 0 and result.max() <= 255
        np.testing.assert_array_equal(result, np.round(result))


def test_no_layers_is_the_identity_on_whole_levels():
    image = jnp.asarray(picture(), jnp.float32)
    np.testing.assert_array_equal(randaugment(image, jnp.zeros((0, 2)), 9.0), image)


def test_a_layer_is_one_of_the_operations_and_layers_follow_each_other():
    count = len(OPERATIONS)
    draws = jnp.array([[(i + 0.5) / count, sign] for i in range(count) for sign in (0.25, 0.75)])
    image = jnp.asarray(picture(), jnp.float32)
    single = jax.jit(jax.vmap(lambda draw: randaugment(image, draw[None], MAGNITUDE)))(draws)
    for i, result in enumerate(single):
        np.testing.assert_array_equal(
            result, apply_named(picture(), OPERATIONS[i // 2], sign=(-1.0, 1.0)[i % 2])
        )
    both = jax.jit(randaugment)(image, draws[jnp.array([2, 9])], MAGNITUDE)
    np.testing.assert_array_equal(
        both, apply_named(apply_named(picture(), OPERATIONS[1], sign=-1.0), OPERATIONS[4])
    )
