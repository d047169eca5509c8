"""Scores equal NumPy's over all examples, for any batch size and number of devices."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scaling.data.splits import ArraySplit
from scaling.tasks.classification import CLASSIFICATION
from scaling.training.evaluate import Scorer
from scaling.training.parallel import ENGINES

COUNT = 23


@pytest.fixture(scope="module")
def split():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (COUNT, 6, 6, 1), np.uint8)
    return ArraySplit(images, rng.integers(0, 7, COUNT).astype(np.int32))


@pytest.fixture(scope="module")
def net(tiny_net):
    return tiny_net(num_classes=7)


@pytest.fixture(scope="module")
def models(net):
    return {
        name: net.init(jax.random.key(seed), jnp.zeros((1, 6, 6, 1)))
        for name, seed in (("raw", 0), ("ema", 1))
    }


def to_float(fields):
    return {**fields, "image": fields["image"] / 255.0}


MACHINES = [("pmap", 1, 23), ("pmap", 2, 5), ("pmap", 4, 64), ("jit", 4, 8), ("jit", 1, 1)]


@pytest.mark.representatives(2)
@pytest.mark.parametrize("engine, devices, batch", MACHINES)
def test_scores_equal_numpys(net, models, split, engine, devices, batch):
    machine = ENGINES[engine](jax.devices()[:devices])
    found = Scorer(CLASSIFICATION, machine, net, to_float, batch)(machine.replicate(models), split)
    for name, variables in models.items():
        logits_bk = np.asarray(net.apply(variables, split.images / 255.0), np.float64)
        own = logits_bk[np.arange(COUNT), split.labels]
        ranks = (logits_bk > own[:, None]).sum(-1)
        loss = np.log(np.exp(logits_bk).sum(-1)) - own
        assert found[name]["top1"] == np.mean(ranks < 1)
        assert found[name]["top5"] == np.mean(ranks < 5)
        assert found[name]["loss"] == pytest.approx(loss.mean(), rel=1e-5)


@pytest.mark.representatives(1)
@pytest.mark.parametrize("engine, devices, batch", [MACHINES[1], MACHINES[2], MACHINES[3]])
def test_what_cannot_be_summed_is_gathered_once_an_example_in_order(
    net, models, split, engine, devices, batch
):
    task = dataclasses.replace(
        CLASSIFICATION,
        gather=lambda logits, inputs, spec, arch: {"logits": logits, "label": inputs["label"]},
        means=lambda totals: totals,
    )
    machine = ENGINES[engine](jax.devices()[:devices])
    found = Scorer(task, machine, net, to_float, batch)(machine.replicate(models), split)
    for name, variables in models.items():
        assert found[name]["count"] == COUNT
        np.testing.assert_array_equal(found[name]["label"], split.labels)
        logits_bk = net.apply(variables, split.images / 255.0)
        np.testing.assert_allclose(found[name]["logits"], logits_bk, 1e-4, 1e-5)
