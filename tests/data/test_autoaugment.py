"""AutoAugment does one pair of its policy, each operation with its probability, at the code's settings."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image, ImageOps

from scaling.data.augment import train_transform
from scaling.data.autoaugment import POLICIES, autoaugment, efficientnet
from scaling.data.randaugment import OPERATIONS, apply
from scaling.runs.spec import AugmentSpec

PICTURE = np.random.default_rng(3).integers(0, 256, (17, 17, 3), np.uint8)
IMAGE = jnp.asarray(PICTURE, jnp.float32)
run = jax.jit(autoaugment, static_argnames="policy")
operate = jax.jit(apply)


def draws(policy: str, pair: int, first: float, second: float, sign: float = 0.75):
    return jnp.array([(pair + 0.5) / len(POLICIES[policy][0]), first, sign, second, sign])


@pytest.mark.parametrize("policy", POLICIES)
def test_a_policy_is_25_pairs_of_probabilities_and_magnitudes(policy):
    pairs, _ = POLICIES[policy]
    assert [len(pair) for pair in pairs] == [2] * 25
    for choice, probability, magnitude in (step for pair in pairs for step in pair):
        assert choice in range(len(OPERATIONS)) and 0 <= probability <= 1 and magnitude in range(11)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("sign", [0.25, 0.75])
def test_both_operations_are_done_in_turn_or_left_out_by_their_probability(policy, sign):
    pairs, strength = POLICIES[policy]
    direction = 1.0 if sign > 0.5 else -1.0
    for i, pair in enumerate(pairs):
        one, both = IMAGE, IMAGE
        for j, (choice, probability, magnitude) in enumerate(pair):
            done = operate(both, choice, strength(magnitude, direction)) if probability else both
            one, both = (done, done) if j == 0 else (one, done)
        np.testing.assert_array_equal(run(IMAGE, draws(policy, i, 0.0, 0.0, sign), policy), both)
        np.testing.assert_array_equal(run(IMAGE, draws(policy, i, 0.0, 1.0, sign), policy), one)


@pytest.mark.parametrize("magnitude, kept", [(6, 2), (10, 4)])
def test_efficientnets_posterising_keeps_more_bits_at_higher_magnitudes(magnitude, kept):
    made = operate(IMAGE, OPERATIONS.index("posterize"), efficientnet(magnitude, 1.0))
    np.testing.assert_array_equal(made, ImageOps.posterize(Image.fromarray(PICTURE), kept))


def test_efficientnets_solarising_inverts_from_its_threshold_on():
    made = operate(IMAGE, OPERATIONS.index("solarize"), efficientnet(3, 1.0))
    np.testing.assert_array_equal(made, ImageOps.solarize(Image.fromarray(PICTURE), 76))
    full = operate(IMAGE, OPERATIONS.index("solarize"), efficientnet(10, 1.0))
    np.testing.assert_array_equal(full, IMAGE)


def test_it_stands_in_randaugments_place():
    with pytest.raises(ValueError, match=r"augment\.autoaugment=v0"):
        train_transform(AugmentSpec(autoaugment="v0", randaugment_layers=2), 8, 5, (0.5,) * 3, (0.2,) * 3)
