"""AutoAugment on the device: one of a policy's pairs of operations an image, each done with its probability.

The pairs are those of arXiv 1805.09501 (CIFAR-10: appendix, as torchvision transforms/autoaugment.py has
them) and of EfficientNet's code (tensorflow/tpu models/official/efficientnet/autoaugment.py, policy_v0), with
that code's settings: there posterising and solarising are milder at higher magnitudes, and blends have no
sign. Its 250 pixels of translation would move a 224-pixel image out of its frame; the paper's 150 of 331
pixels are taken, as in RandAugment.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from scaling.data.randaugment import MAX_ADDITION, OPERATIONS, Setting, apply, rising

DRAWS = 5  # of an image: the pair, then for each of the two whether it is done, and its sign

# Operation, probability, magnitude
V0 = """
equalize .8 1, shear_y .8 4; color .4 9, equalize .6 3; color .4 1, rotate .6 8; solarize .8 3, equalize .4 7
solarize .4 2, solarize .6 2; color .2 0, equalize .8 8; equalize .4 8, solarize_add .8 3
shear_x .2 9, rotate .6 8; color .6 1, equalize 1 2; invert .4 9, rotate .6 0; equalize 1 9, shear_y .6 3
color .4 7, equalize .6 0; posterize .4 6, autocontrast .4 7; solarize .6 8, color .6 9
solarize .2 4, rotate .8 9; rotate 1 7, translate_y .8 9; shear_x 0 0, solarize .8 4; shear_y .8 0, color .6 4
color 1 0, rotate .6 2; equalize .8 4, equalize 0 8; equalize 1 4, autocontrast .6 2
shear_y .4 7, solarize_add .6 7; posterize .8 2, solarize .6 10; solarize .6 8, equalize .6 1
color .8 6, rotate .4 5
"""
CIFAR10 = """
invert .1 0, contrast .2 6; rotate .7 2, translate_x .3 9; sharpness .8 1, sharpness .9 3
shear_y .5 8, translate_y .7 9; autocontrast .5 0, equalize .9 0; shear_y .2 7, posterize .3 7
color .4 3, brightness .6 7; sharpness .3 9, brightness .7 9; equalize .6 0, equalize .5 0
contrast .6 7, sharpness .6 5; color .7 7, translate_x .5 8; equalize .3 0, autocontrast .4 0
translate_y .4 3, sharpness .2 6; brightness .9 6, color .2 8; solarize .5 2, invert 0 0
equalize .2 0, autocontrast .6 0; equalize .2 0, equalize .6 0; color .9 9, equalize .6 0
autocontrast .8 0, solarize .2 8; brightness .1 3, color .7 0; solarize .4 5, autocontrast .9 0
translate_y .9 9, translate_y .7 9; autocontrast .9 0, solarize .8 3; equalize .8 0, invert .1 0
translate_y .7 9, autocontrast .9 0
"""
Step = tuple[int, float, float]  # the operation's place in OPERATIONS, its probability, its magnitude


def pairs(text: str) -> tuple[tuple[Step, ...], ...]:
    """Read a policy: its sub-policies, each of two operations with probability and magnitude."""

    def step(words: str) -> Step:
        name, probability, magnitude = words.split()
        return OPERATIONS.index(name), float(probability), float(magnitude)

    lines = ";".join(text.strip().splitlines()).split(";")
    return tuple(tuple(step(words) for words in line.split(",")) for line in lines)


def efficientnet(magnitude: float, sign: float) -> Setting:
    """What a magnitude from 0 to 10 is in EfficientNet's code: bits and levels that are kept, not lost."""
    level = magnitude / 10
    return Setting(
        warp=level * sign,
        factor=1.8 * level + 0.1,
        step=2.0 ** (8 - int(4 * level)),
        threshold=int(256 * level),
        added=int(MAX_ADDITION * level),
    )


def cifar10(magnitude: float, sign: float) -> Setting:
    """What a magnitude from 0 to 9 is in the paper: ten even steps to the strongest."""
    return rising(magnitude / 9, sign)


POLICIES = {"v0": (pairs(V0), efficientnet), "cifar10": (pairs(CIFAR10), cifar10)}


def autoaugment(x_hwc: jax.Array, draws: jax.Array, policy: str) -> jax.Array:
    """Apply a pair of `POLICIES[policy]` to levels in [0, 255], chosen evenly by the first draw."""
    chosen, strength = POLICIES[policy]
    choice_n2, probability_n2 = (np.array([[step[i] for step in pair] for pair in chosen]) for i in (0, 1))
    signed = [[[strength(step[2], sign) for sign in (-1.0, 1.0)] for step in pair] for pair in chosen]
    settings_n2sf = np.array(signed, np.float32)  # the last axis: the fields of a setting
    place = jnp.minimum((draws[0] * len(chosen)).astype(jnp.int32), len(chosen) - 1)

    def layer(x_hwc, one):
        choice, probability, settings_sf, draws_2 = one
        choice = jnp.where(draws_2[0] < probability, choice, -1)
        setting = jnp.where(draws_2[1] < 0.5, settings_sf[0], settings_sf[1])
        return apply(x_hwc, choice, Setting(*setting)), None

    taken = [jnp.asarray(array)[place] for array in (choice_n2, probability_n2, settings_n2sf)]
    x_hwc = jnp.round(jnp.clip(x_hwc, 0, 255))
    return jax.lax.scan(layer, x_hwc, (*taken, draws[1:].reshape(2, 2)))[0]
