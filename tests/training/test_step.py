"""One step is the same on any number of devices, with either engine, and in any cut of the batch."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scaling.runs.spec import OptimizerSpec, TrainSpec
from scaling.tasks.classification import CLASSIFICATION
from scaling.training import optimizers
from scaling.training.parallel import ENGINES, Program
from scaling.training.plan import make_plan
from scaling.training.runtime import Runtime
from scaling.training.state import averaged, create
from scaling.training.step import AXIS, SEED, build_train_step, example_keys, seed_key, several

BATCH, STEPS = 16, 3


def rate(step):
    return 0.1 / (1.0 + step)


@pytest.fixture(scope="module")
def images():
    """32 random images of 3 classes, to be held on the devices."""
    rng = np.random.default_rng(0)
    return {
        "image": rng.integers(0, 256, (32, 6, 6, 1), np.uint8),
        "label": rng.integers(0, 3, 32).astype(np.int32),
    }


@pytest.fixture(scope="module")
def batches():
    """Three batches of random rows of them."""
    rng = np.random.default_rng(1)
    rows = rng.permutation(32 * STEPS).reshape(-1, BATCH)[:STEPS] % 32
    positions = np.tile(np.arange(BATCH, dtype=np.int32), (STEPS, 1))
    return {"index": rows.astype(np.int32), "position": positions}


def jittered(fields, keys):
    """An augmentation that draws for each example."""
    images = fields["image"]
    noise = jax.vmap(lambda key: jax.random.uniform(key, images.shape[1:]))(keys)
    return {"image": images / 255.0 + 0.2 * noise, "targets": jax.nn.one_hot(fields["label"], 3)}


@pytest.fixture(scope="module")
def trained(tiny_net, images, batches):
    """Return a function that makes the three steps and returns the host state and metrics."""

    @functools.cache
    def train(engine="pmap", devices=1, per_call=1, synced=True, norm=True, streamed=False, **fields):
        spec = TrainSpec(batch=BATCH, ema=0.9, label_smoothing=0.1, **fields)
        net = tiny_net(norm=norm, axis_name=AXIS if synced else None)
        optimizer = optimizers.build(OptimizerSpec("sgd", weight_decay=0.01), rate)
        variables = tiny_net(norm=norm).init(jax.random.key(0), jnp.zeros((1, 6, 6, 1)))
        state = create(variables, optimizer, ema=True)
        step = build_train_step(CLASSIFICATION, net, optimizer, rate, jittered, spec, seed=7)
        machine = ENGINES[engine](jax.devices()[:devices])
        program = Program(machine, several(step), cut={1: 1}, donate=(0,))
        state, resident = machine.replicate(state), machine.replicate({} if streamed else images)
        metrics = []
        for start in range(0, STEPS, per_call):
            batch = {k: v[start : start + per_call] for k, v in batches.items()}
            if streamed:
                rows = batch.pop("index")
                batch |= {k: v[rows] for k, v in images.items()}
            state, found = program(state, machine.shard(batch, axis=1), resident)
            metrics.append(machine.unreplicate(found))
        return machine.unreplicate(state), jax.tree.map(lambda *m: np.concatenate(m), *metrics)

    return train


@pytest.mark.representatives(3)
@pytest.mark.parametrize("engine", ["pmap", "jit"])
@pytest.mark.parametrize("devices", [1, 2, 4])
def test_devices_and_engines_give_equal_steps(trained, engine, devices, assert_equal):
    assert_equal(trained("pmap", 1), trained(engine, devices), rtol=2e-5, atol=2e-6)


def test_local_statistics_differ_from_synced_ones(trained):
    """The law above is not empty: without syncing, two devices normalise by other statistics."""
    synced, local = (trained(devices=2, synced=s)[0].params["conv"]["kernel"] for s in (True, False))
    assert np.abs(synced - local).max() > 1e-4


def test_micro_batches_make_one_batch_without_batch_norm(trained, assert_equal):
    assert_equal(trained(norm=False), trained(norm=False, accumulate=4), rtol=2e-5, atol=2e-6)


def test_micro_batches_do_what_devices_with_local_statistics_do(trained, assert_equal):
    assert_equal(
        trained(devices=4, synced=False), trained(devices=1, synced=False, accumulate=4), rtol=2e-5, atol=2e-6
    )


def test_several_steps_a_dispatch_are_the_same_steps(trained, assert_equal):
    assert_equal(trained(), trained("pmap", devices=2, per_call=3), rtol=2e-5, atol=2e-6)


def test_streamed_images_train_like_resident_ones(trained, assert_equal):
    assert_equal(trained("jit", 2), trained("jit", 2, streamed=True), rtol=1e-6, atol=1e-7)


def test_every_parameter_and_average_is_set_and_the_state_counts(trained):
    state, metrics = trained()
    assert state.step == STEPS and metrics["loss"].shape == (STEPS,)
    for tree in (state.params, state.ema):
        assert all(np.abs(leaf).max() > 0 for leaf in jax.tree.leaves(tree))
    np.testing.assert_allclose(metrics["lr"], [rate(s) for s in range(STEPS)], 1e-6)
    assert metrics["finite"].tolist() == [1.0] * STEPS


@pytest.mark.parametrize("ramp", [True, False])
def test_averages_move_by_their_decay(ramp):
    start, values = np.float64(2.0), np.random.default_rng(0).normal(size=20)
    ema, expected = {"params": np.float32(start)}, start
    for step, value in enumerate(values):
        ema = averaged(ema, {"params": np.float32(value)}, 0.9, ramp, step)
        decay = min(0.9, (1 + step) / (10 + step)) if ramp else 0.9
        expected = decay * expected + (1 - decay) * value
    np.testing.assert_allclose(ema["params"], expected, 1e-5)


def test_random_numbers_name_their_stream_step_and_place():
    place = np.arange(4)
    drawn = [
        example_keys(seed, stream, step, place)
        for seed, stream, step in ((0, "augment", 0), (1, "augment", 0), (0, "dropout", 0), (0, "augment", 1))
    ]
    data = np.concatenate([jax.random.key_data(keys) for keys in drawn])
    assert len(np.unique(data, axis=0)) == 16
    same = example_keys(0, "augment", 0, place[2:])
    np.testing.assert_array_equal(jax.random.key_data(same), jax.random.key_data(drawn[0])[2:])
    for seed in (0, 1, 2**31 + 5, -3):
        told = example_keys(jnp.asarray(seed_key(seed)), "augment", 3, place)
        np.testing.assert_array_equal(
            jax.random.key_data(told), jax.random.key_data(example_keys(seed, "augment", 3, place))
        )


@pytest.mark.parametrize("engine", ENGINES)
def test_runs_that_differ_by_their_seed_alone_are_one_program(engine, make_spec, monkeypatch):
    """So that a sweep over seeds compiles once a size."""
    lowered = []

    def compile(self, function, arguments, cut, donate):
        lowered.append(self.mapped(function, arguments, cut, donate).lower(*arguments).as_text())

    monkeypatch.setattr(ENGINES[engine], "compile", compile)
    runtimes = [Runtime(make_plan(make_spec({"seed": seed, "train.engine": engine}))) for seed in (0, 1)]
    for runtime in runtimes:
        runtime.compile()
    assert len(lowered) == 4 and lowered[:2] == lowered[2:]
    keys = [np.asarray(runtime.resident[SEED]) for runtime in runtimes]
    assert not np.array_equal(*keys)
