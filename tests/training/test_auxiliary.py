"""Auxiliary classifiers: trained by their share of the loss, and no part of evaluation."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from scaling.arch.arch import Auxiliary
from scaling.cost.counting import count
from scaling.cost.measuring import measure
from scaling.models.auxiliary import AUXILIARY, auxiliary_loss
from scaling.models.initialize import initialize
from scaling.models.network import Network
from scaling.runs.resolve import resolve
from scaling.runs.spec import ModelSpec, TrainSpec
from scaling.tasks.classification import CLASSIFICATION
from scaling.tasks.losses import cross_entropy
from scaling.training.parallel import ENGINES, Program
from scaling.training.state import create
from scaling.training.step import build_train_step, several
from scaling.zoo import nasnet

BATCH = 8
COLLECTIONS = ["batch_stats", AUXILIARY]


@pytest.fixture(scope="module")
def arch(tiny_arch):
    heads = (Auxiliary(after=0, width=4, hidden=(4,), grid=2, drop_rate=0.0),)
    return tiny_arch.replace(num_classes=3, drop_rate=0.0, auxiliary=heads)


@pytest.fixture(scope="module")
def variables(arch):
    return initialize(Network(arch), 0)


@pytest.fixture(scope="module")
def batch():
    rng = np.random.default_rng(0)
    images = rng.normal(size=(BATCH, 8, 8, 3)).astype(np.float32)
    return {
        "image": images,
        "label": np.arange(BATCH, dtype=np.int32) % 3,
        "position": np.arange(BATCH, dtype=np.int32),
    }


def one_step(arch, variables, batch):
    """The state and the metrics after one training step of plain SGD."""
    inputs = lambda fields, keys: {"image": fields["image"], "targets": jax.nn.one_hot(fields["label"], 3)}
    optimizer = optax.sgd(0.1)
    spec = TrainSpec(batch=BATCH, label_smoothing=0.1)
    step = build_train_step(CLASSIFICATION, Network(arch), optimizer, lambda _: 0.1, inputs, spec, seed=0)
    engine = ENGINES["pmap"](jax.devices()[:1])
    program = Program(engine, several(step), cut={1: 1}, donate=(0,))
    stacked = {name: np.asarray(values)[None] for name, values in batch.items()}
    state = engine.replicate(create(variables, optimizer, ema=False))
    state, metrics = program(state, engine.shard(stacked, axis=1), engine.replicate({}))
    return engine.unreplicate(state), engine.unreplicate(metrics)


def test_the_loss_counts_auxiliary_logits_by_their_weight(arch, variables, batch):
    _, metrics = one_step(arch, variables, batch)
    logits_bk, updates = jax.jit(functools.partial(Network(arch).apply, train=True, mutable=COLLECTIONS))(
        variables, batch["image"]
    )
    targets_bk = optax.losses.smooth_labels(jax.nn.one_hot(batch["label"], 3), 0.1)
    own, early = (
        float(jnp.mean(cross_entropy(x, targets_bk)))
        for x in (logits_bk, updates[AUXILIARY]["auxiliary_0"]["logits"])
    )
    assert early > 0.1
    assert float(metrics["loss"][0]) == pytest.approx(own + 0.3 * early, rel=1e-5)


@pytest.mark.representatives(1)
@pytest.mark.parametrize("weight", [0.3, 0.0])
def test_a_training_step_moves_auxiliary_parameters_by_their_weight(arch, variables, batch, weight):
    weighted = arch.replace(auxiliary=(dataclasses.replace(arch.auxiliary[0], weight=weight),))
    state, _ = one_step(weighted, variables, batch)
    name = "auxiliary_0"
    moved = jax.tree.map(lambda a, b: bool(np.any(a != b)), state.params[name], variables["params"][name])
    assert set(jax.tree.leaves(moved)) == {weight > 0}


def test_evaluation_does_not_run_them(arch, variables, batch):
    bare = {"params": dict(variables["params"]), "batch_stats": dict(variables["batch_stats"])}
    for collection in bare.values():
        del collection["auxiliary_0"]
    with_heads = jax.jit(Network(arch).apply)(variables, batch["image"])
    without = jax.jit(Network(arch.replace(auxiliary=())).apply)(bare, batch["image"])
    np.testing.assert_array_equal(with_heads, without)
    assert count(arch).macs == count(arch.replace(auxiliary=())).macs
    evaluate = jax.jit(functools.partial(Network(arch).apply, train=False, mutable=[AUXILIARY]))
    _, updates = evaluate(variables, batch["image"])
    assert auxiliary_loss(updates, jnp.sum) == 0


def test_they_drop_where_the_network_drops_nothing(arch, variables, batch):
    dropping = arch.replace(auxiliary=(dataclasses.replace(arch.auxiliary[0], drop_rate=0.7),))

    @jax.jit
    def logits(seed):
        keys_b = jax.random.split(jax.random.key(seed), BATCH)
        _, updates = Network(dropping).apply(
            variables, batch["image"], train=True, keys_b=keys_b, mutable=COLLECTIONS
        )
        return updates[AUXILIARY]["auxiliary_0"]["logits"]

    assert np.any(logits(0) != logits(1))


def test_measuring_counts_their_share(arch):
    timed = measure(arch, batch=2, repeats=1)
    assert timed.memory > measure(arch.replace(auxiliary=()), batch=2, repeats=1).memory


def test_a_config_adds_those_of_the_familys_training():
    told = ModelSpec("nasnetamobile", auxiliary=True)
    arch, _ = resolve(told, 1000, 3)
    assert arch.auxiliary == nasnet.AUXILIARY
    assert arch.replace(auxiliary=()) == resolve(ModelSpec("nasnetamobile"), 1000, 3)[0]
    side, last = arch.map_sides(224), arch.auxiliary[0]
    assert side[arch.feature_grids[len(arch.stem) + last.after].stride] == 14
    with pytest.raises(ValueError, match="resnet18 has no classifiers of its training"):
        resolve(ModelSpec("resnet18", auxiliary=True), 1000, 3)
