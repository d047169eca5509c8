"""Frozen stages stay what they are, to the bit, while the rest is trained."""

import jax
import numpy as np
import optax
import pytest

from scaling.arch.arch import Arch, Head, Norm, Stage
from scaling.arch.blocks import Conv, Residual
from scaling.cost.counting import count
from scaling.models.initialize import initialize
from scaling.models.network import Network, frozen_stages
from scaling.runs.spec import OptimizerSpec, RunSpec, TrainSpec
from scaling.tasks.classification import CLASSIFICATION
from scaling.training import checkpoints, optimizers
from scaling.training.loop import run
from scaling.training.packing import pack_state, unpack_state, whole
from scaling.training.phases import train_macs
from scaling.training.plan import make_plan
from scaling.training.progress import Silent
from scaling.training.runtime import Runtime
from scaling.training.state import create, models
from scaling.training.step import AXIS, build_train_step

ARCH = Arch(
    "tiny", "tests", (Stage(Conv(), 4),), (Stage(Residual(), 4, 2), Stage(Conv(), 8, 1, 2)), Head(), 8, 3,
    norm=Norm(momentum=0.5), drop_rate=0.2, drop_path_rate=0.4,
)  # fmt: skip
SPEC = TrainSpec(ema=0.5, accumulate=2)
UPDATE = OptimizerSpec(name="adamw", weight_decay=0.1, decay="decoupled", clip_norm=1.0)


def trained(frozen: tuple[str, ...], packed: bool = False, steps: int = 3):
    """The variables at first, and the models after some training steps."""
    net = Network(ARCH, frozen=frozen)
    variables = initialize(net, 0)
    rate = optax.constant_schedule(0.1)
    optimizer = optimizers.build(UPDATE, rate)
    state = create(variables, optimizer, True, frozen_stages(frozen, ARCH))
    if packed:
        state = pack_state(state, optimizers.decay_mask(UPDATE.decay_mask))
    inputs = lambda fields, keys: {"image": fields["image"], "targets": jax.nn.one_hot(fields["label"], 3)}
    step = jax.jit(
        jax.vmap(build_train_step(CLASSIFICATION, net, optimizer, rate, inputs, SPEC, 0), axis_name=AXIS)
    )
    image = np.random.default_rng(0).normal(size=(1, 8, 8, 8, 3)).astype(np.float32)
    batch = {"image": image, "label": np.arange(8)[None] % 3, "position": np.arange(8)[None]}
    state = jax.tree.map(lambda x: np.asarray(x)[None], state)
    for _ in range(steps):
        state, metrics = step(state, batch, {})
        assert metrics["finite"].all()
    state = unpack_state(jax.tree.map(lambda x: np.asarray(x[0]), state))
    return variables, {name: whole(model) for name, model in models(state).items()}


def same(one, two) -> list[bool]:
    return [np.array_equal(a, b) for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(two), strict=True)]


@pytest.mark.parametrize("packed", [pytest.param(False, marks=pytest.mark.nightly), True])
def test_frozen_stages_keep_every_bit_and_the_others_move(packed):
    before, after = trained(("stem", "stages_0"), packed)
    for model in (after["raw"], after["ema"]):
        assert jax.tree.structure(model) == jax.tree.structure(before)
        for collection, modules in before.items():
            for name, leaves in modules.items():
                held = name in ("stem_0", "stages_0")
                assert all(v == held for v in same(leaves, model[collection][name])), (collection, name)


def test_a_frozen_stage_runs_in_evaluation_mode():
    variables = initialize(Network(ARCH), 0)
    x_nhwc = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype(np.float32)
    frozen = Network(ARCH.replace(drop_rate=0.0), frozen=("stem", "stages_0", "stages_1"))
    logits, _ = frozen.apply(
        variables, x_nhwc, train=True, keys_b=jax.random.split(jax.random.key(0), 2), mutable=["batch_stats"]
    )
    np.testing.assert_array_equal(logits, Network(ARCH).apply(variables, x_nhwc))


def test_what_is_not_computed_is_not_counted():
    macs = {name: 0 for name in (*ARCH.stage_names, "classifier")}
    for layer in count(ARCH, layers=True).layers:
        macs[layer.name.split("/")[0]] += layer.macs
    stem, first, second, classifier = macs.values()
    assert train_macs(ARCH) == 3 * count(ARCH).macs
    assert train_macs(ARCH, ("stem", "stages_0")) == stem + first + 3 * (second + classifier)
    assert train_macs(ARCH, ("stages_0",)) == 2 * first + 3 * (stem + second + classifier)
    assert train_macs(ARCH, ARCH.stage_names) == stem + first + second + 3 * classifier


def test_an_unknown_stage_is_told_which_there_are():
    with pytest.raises(ValueError, match="stages_7.*stem, stem_0, stages_0, stages_1"):
        frozen_stages(("stages_7",), ARCH)


@pytest.mark.parametrize("engine", ["jit", pytest.param("pmap", marks=pytest.mark.nightly)])
def test_a_run_saves_frozen_stages_as_they_began(engine, make_spec, tmp_path):
    spec = make_spec({"optimizer.frozen": ["stem"], "train.engine": engine, "train.duration": "2 steps"})
    assert run(spec, tmp_path, Silent()).status == "ok"
    first = Runtime(make_plan(spec)).first_state()
    restored = checkpoints.restore(tmp_path / "checkpoints", like=first)
    assert restored is not None and set(first.frozen["params"]) == {"stem_0"}
    assert all(same(first.frozen, restored[0].frozen)) and not all(same(first.params, restored[0].params))


def test_run_ids_stay_where_nothing_is_frozen():
    assert RunSpec.from_config({"optimizer": {"frozen": []}}).id == RunSpec().id
    assert RunSpec.from_config({"optimizer": {"frozen": ["stem"]}}).id != RunSpec().id
