"""What the training tests share: a tiny network with batch norm and dropout, and a tiny real run."""

import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from PIL import Image

from scaling.arch.arch import Arch, Head, Stage
from scaling.arch.blocks import Conv
from scaling.runs.spec import RunSpec


class TinyNet(nn.Module):
    """Convolution, batch norm, dropout and a classifier, as the training step expects a network."""

    num_classes: int = 3
    norm: bool = True
    drop_rate: float = 0.5
    axis_name: str | None = None

    @nn.compact
    def __call__(self, images_nhwc, train: bool = False, keys_b=None):
        x = nn.Conv(4, (3, 3), name="conv")(images_nhwc)
        if self.norm:
            x = nn.BatchNorm(not train, momentum=0.9, axis_name=self.axis_name, name="norm")(x)
        features_bf = jnp.mean(nn.relu(x), (1, 2))
        if train and self.drop_rate and keys_b is not None:
            kept = jax.vmap(lambda key: jax.random.bernoulli(key, 1 - self.drop_rate, (4,)))(keys_b)
            features_bf = jnp.where(kept, features_bf / (1 - self.drop_rate), 0.0)
        return nn.Dense(self.num_classes, name="classifier")(features_bf)


@pytest.fixture(scope="session")
def tiny_net() -> Any:
    return TinyNet


@pytest.fixture(scope="session")
def tiny_arch() -> Arch:
    """Some 500 parameters, with stacked layers, batch norm and dropout."""
    return Arch(
        name="tiny",
        family="tests",
        stem=(Stage(Conv(), 4, stride=2),),
        stages=(Stage(Conv(skip=True), 4, repeats=3),),
        head=Head(),
        resolution=8,
        drop_rate=0.1,
    )


@pytest.fixture
def config(tiny_arch) -> dict[str, Any]:
    """A run of 12 steps on real handwritten digits: plain values, to be changed by a test."""
    return {
        "model": {"arch": tiny_arch.to_dict()},
        "data": {"limit": 256},
        "optimizer": {"lr": 0.5, "weight_decay": 1e-4},
        "train": {
            "batch": 64,
            "duration": "3 epochs",
            "ema": 0.9,
            "eval_every": "2 epochs",
            "checkpoint_every": "4 steps",
            "devices": 1,
        },
    }


@pytest.fixture
def make_spec(config):
    """Return a function: {"section.key": value} changes -> RunSpec of the tiny run."""

    def make(changes: dict[str, Any] | None = None) -> RunSpec:
        for path, value in (changes or {}).items():
            *sections, key = path.split(".")
            at = config
            for section in sections:
                at = at.setdefault(section, {})
            at[key] = value
        return RunSpec.from_config(config)

    return make


@pytest.fixture(scope="session")
def boxes_dir(tmp_path_factory) -> Path:
    """Images of 16 pixels with up to three rectangles of two colours, and a boxes.json that says where."""
    root, rng, splits = tmp_path_factory.mktemp("rectangles"), np.random.default_rng(0), {}
    for split, count in (("train", 16), ("val", 6), ("test", 6)):
        splits[split] = []
        for i in range(count):
            pixels, objects = rng.integers(0, 40, (16, 16, 3)), []
            for _ in range(i % 4):
                (x, y), (w, h), kind = rng.integers(0, 9, 2), rng.integers(4, 8, 2), int(rng.integers(0, 2))
                pixels[y : y + h, x : x + w, kind] = 220
                objects.append([kind, *map(int, (x, y, x + w, y + h))])
            file = f"{split}_{i}.png"
            Image.fromarray(pixels.astype(np.uint8)).save(root / file)
            splits[split].append({"file": file, "width": 16, "height": 16, "objects": objects})
    (root / "boxes.json").write_text(json.dumps({"classes": ["red", "green"], "splits": splits}))
    return root


@pytest.fixture(scope="session")
def assert_equal() -> Any:
    """Compare two trees: exactly, or within relative and absolute tolerances."""

    def compare(one, two, rtol: float = 0.0, atol: float = 0.0):
        assert jax.tree.structure(one) == jax.tree.structure(two)
        for path, a in jax.tree_util.tree_leaves_with_path(one):
            b = dict(jax.tree_util.tree_leaves_with_path(two))[path]
            np.testing.assert_allclose(a, b, rtol, atol, err_msg=jax.tree_util.keystr(path))

    return compare
