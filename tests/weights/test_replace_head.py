"""A new classifier on old features."""

import jax
import numpy as np
import pytest

import scaling
from scaling.models.initialize import initialize
from scaling.models.network import Network

ARCH = scaling.get("efficientnet_b0").replace(resolution=32)


@pytest.fixture(scope="module")
def variables():
    return initialize(Network(ARCH), seed=3)


def test_all_but_the_classifier_is_kept(variables):
    arch, changed = scaling.replace_head(ARCH, variables, 10, seed=1)
    assert arch == ARCH.replace(num_classes=10)
    assert changed["params"]["classifier"]["kernel"].shape == (1280, 10)
    fresh = initialize(Network(arch), seed=1)["params"]["classifier"]
    np.testing.assert_array_equal(changed["params"]["classifier"]["kernel"], fresh["kernel"])
    for old, new in (
        (variables["params"], changed["params"]),
        (variables["batch_stats"], changed["batch_stats"]),
    ):
        kept = {name: tree for name, tree in old.items() if name != "classifier"}
        assert jax.tree.all(jax.tree.map(np.array_equal, kept, {name: new[name] for name in kept}))


def test_what_else_differs_is_named(variables):
    other = scaling.get("efficientnet_b1").replace(resolution=32)
    with pytest.raises(ValueError, match="do not fit efficientnet_b1(.|\n)*stages_0/rest"):
        scaling.replace_head(other, variables, 10)
    headless = {"params": {k: v for k, v in variables["params"].items() if k != "classifier"}}
    with pytest.raises(ValueError, match="batch_stats/stem_0/first/norm/mean"):
        scaling.replace_head(ARCH, headless, 10)
