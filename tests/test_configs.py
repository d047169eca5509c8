"""Every config in configs/ is a runnable recipe, as far as can be told without its data."""

import dataclasses
import importlib.util
from pathlib import Path
from types import ModuleType

import jax
import jax.numpy as jnp
import pytest

from scaling.arch.arch import Arch
from scaling.arch.blocks import Dense
from scaling.arch.stages import Stage, settle
from scaling.cost.closed_form import totals
from scaling.cost.counting import count
from scaling.models.initialize import abstract_variables
from scaling.models.network import Network
from scaling.runs.duration import Duration
from scaling.runs.resolve import resolve
from scaling.runs.spec import ModelSpec, RunSpec
from scaling.sweeps.expand import expand, trials
from scaling.tasks import named
from scaling.tasks.task import Inputs
from scaling.training import optimizers, schedules
from scaling.training.parallel import check_batch
from scaling.training.state import TrainState
from scaling.training.step import AXIS, build_train_step

# Configs of searches hold other sections: see tests/search/runs/test_configs.py and
# tests/experiments/test_pipeline.py.
SEARCHES = ("__init__", "pipeline", "search_")
CONFIGS = sorted(
    path
    for path in (Path(__file__).parent.parent / "configs").glob("*.py")
    if not path.stem.startswith(SEARCHES)
)

# Classes, channels, side in pixels and training images of what the configs read.
DATA = {
    "digits/": (10, 1, 8, 1294),
    "tfds/mnist": (10, 1, 28, 59400),
    "tfds/fashion_mnist": (10, 1, 28, 54000),
    "tfds/cifar10": (10, 3, 32, 45000),
    "folder/": (10, 3, 64, 1000),
    "boxes/": (3, 3, 256, 205),
    "instance_segmentation": (1, 3, 256, 234),
    "fsdd/": (2, 40, 800, 1200),
    "omniglot/": (964, 1, 32, 16000),
    "denoising": (1, 1, 180, 400),
    "super_resolution": (1, 1, 500, 82),
    "tfds/imagenet2012": (1000, 3, 512, 1255544),
}


def load(path: Path) -> ModuleType:
    found = importlib.util.spec_from_file_location(f"config_{path.stem}", path)
    assert found and found.loader
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


@pytest.fixture(scope="module", params=CONFIGS, ids=lambda path: path.stem)
def path(request) -> Path:
    return request.param


@pytest.fixture(scope="module")
def config(path) -> ModuleType:
    return load(path)


def arguments(config: ModuleType) -> list[tuple[str, ...]]:
    """What may stand behind the colon of --config=FILE:ARGUMENT; the first is the default."""
    return [(argument,) for argument in getattr(config, "ARGUMENTS", ())] or [()]


def runs(config: ModuleType, *argument: str) -> list[RunSpec]:
    """The specs of a config's sweep, or its one."""
    base = RunSpec.from_config(config.get_config(*argument))
    if not hasattr(config, "get_sweep"):
        return [base]
    return [trial.spec for trial in trials(base, config.get_sweep(*argument))[0]]


def test_there_are_configs():
    assert "quickstart" in {path.stem for path in CONFIGS}


def test_its_docstring_says_what_it_is_and_names_the_command(path, config):
    first, *rest = (config.__doc__ or "").splitlines()
    assert first.endswith(".") and f"--config=configs/{path.name}" in " ".join(rest)
    assert "Command: python -m experiments." in config.__doc__


def test_it_gives_the_same_spec_every_time_and_survives_json(config):
    for argument in arguments(config):
        spec = RunSpec.from_config(config.get_config(*argument))
        again = RunSpec.from_config(config.get_config(*argument))
        assert again == spec == RunSpec.from_config(spec.to_dict())


def test_each_argument_is_a_run_of_its_own_and_the_first_is_the_default(config):
    found = [RunSpec.from_config(config.get_config(*argument)) for argument in arguments(config)]
    assert found[0] == RunSpec.from_config(config.get_config())
    classes, channels, _, _ = DATA[dataset(found[0])]
    archs = {resolve(spec.model, classes, channels)[0] for spec in found}
    assert len(archs) == len({spec.id for spec in found}) == len(found)
    for spec, argument in zip(found, arguments(config)):
        rate, total = schedule(spec)
        assert (
            0 <= rate(total - 1) < rate(total // 2) <= rate(int(0.3 * total))
            or spec.schedule.name == "constant"
        )
        assert len(runs(config, *argument)) >= 1


def test_the_trials_of_its_sweep_are_distinct_runs(config):
    if not hasattr(config, "get_sweep"):
        pytest.skip("a single run")
    distinct, notes = trials(RunSpec.from_config(config.get_config()), config.get_sweep())
    assert not notes, "a sweep should not list a run twice"
    assert len({trial.spec.id for trial in distinct}) == len(distinct) == len(expand(config.get_sweep()))


def test_its_sizes_are_distinct_networks(config):
    archs = [resolve(spec.model, 10, 3)[0] for spec in runs(config) if spec.seed == 0]
    assert len(set(archs)) == len({spec.model for spec in runs(config)})


def test_the_scaled_networks_of_table_7_cost_alike():
    config = next(path for path in CONFIGS if path.stem == "table7")
    _, *scaled = [network(spec)[0] for spec in runs(load(config)) if spec.seed == 0]
    macs = [count(arch).macs for arch in scaled]
    assert len(macs) == 4 and max(macs) < 1.02 * min(macs)


def test_the_budgets_of_best_axis_are_met_within_a_hundredth():
    module = load(next(path for path in CONFIGS if path.stem == "best_axis"))
    macs = {
        (spec.model.rule, spec.model.phi): totals(resolve(spec.model, 10, 1)[0]).macs
        for spec in runs(module)
        if spec.seed == 0
    }
    for i, budget in enumerate((6.72e6, 13.45e6, 26.45e6)):
        for rule, phis in module.PHIS.items():
            assert abs(macs[rule, phis[i]] / budget - 1) < 0.01, (rule, phis[i], macs[rule, phis[i]])


@pytest.mark.representatives("quickstart", "cifar10_resnet", "imagenet_efficientnet]", "camvid", night=16)
def test_every_recipe_of_its_sweep_passes_a_shape_only_train_step(config):
    # The networks of one recipe differ in numbers only: the smallest's step is traced, the largest as a
    # network, with one block of each kind (tests/zoo traces more of every family).
    sizes: dict[RunSpec, list[RunSpec]] = {}
    for spec in (spec for spec in runs(config) if spec.seed == 0):
        sizes.setdefault(without_network(spec), []).append(spec)
    for specs in sizes.values():
        smallest, *others = sorted(specs, key=lambda spec: (spec.model.phi, spec.model.base_width))
        check_train_step(smallest)
        for spec in others[-1:]:
            arch, net = network(spec, shallow=True)
            assert jax.tree.leaves(abstract_variables(net, arch.resolution, arch.in_channels))


def dataset(spec: RunSpec) -> str:
    """The key of a run's data: its task where that alone has such data."""
    return spec.task if spec.task in DATA else f"{spec.data.source}/{spec.data.name}"


def schedule(spec: RunSpec) -> tuple[schedules.Schedule, int]:
    """The learning rate of a run, and its length in steps."""
    per_epoch = DATA[dataset(spec)][3] // spec.train.batch
    total = Duration.parse(spec.train.duration).steps(per_epoch)
    peak = schedules.peak_rate(spec.optimizer, spec.train.batch)
    return schedules.build(spec.schedule, peak, total, per_epoch), total


def without_network(spec: RunSpec) -> RunSpec:
    """What a spec does with its network, whatever that is."""
    return dataclasses.replace(spec, seed=0, model=ModelSpec(dtype=spec.model.dtype))


def network(spec: RunSpec, shallow: bool = False) -> tuple[Arch, Network]:
    """The network of a run, its layers looped over and its convolutions plain: that is traced soonest."""
    classes, channels, _, _ = DATA[dataset(spec)]
    arch = named(spec.task).adapt(resolve(spec.model, classes, channels)[0])
    if shallow:
        arch = arch.replace(stages=settle(one_each(arch.stages), arch.entering), auxiliary=())
    synced = AXIS if spec.train.batch_norm == "synced" else None
    return arch, Network(arch, jnp.dtype(spec.model.dtype), True, axis_name=synced, operators="lax")


def one_each(stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
    """One block of each kind and stride, of one layer where it has several."""
    found = {(type(stage.block), stage.stride): stage for stage in reversed(stages)}
    layers = lambda block: {"layers": 1} if isinstance(block, Dense) else {}
    return tuple(
        dataclasses.replace(stage, repeats=1, block=dataclasses.replace(stage.block, **layers(stage.block)))
        for stage in reversed(found.values())
    )


def check_train_step(spec: RunSpec) -> None:
    """Trace one step of a run on shapes: nothing is compiled, read or computed."""
    classes, channels, side, _ = DATA[dataset(spec)]
    train, (arch, net) = spec.train, network(spec, shallow=True)
    check_batch(train.batch, 1, train.accumulate, bool(spec.augment.mixup or spec.augment.cutmix))
    rate, _ = schedule(spec)
    optimizer = optimizers.build(spec.optimizer, rate)
    mean = std = (0.5,) * channels
    task = named(spec.task)
    inputs = task.train_inputs(Inputs(spec.augment, arch.resolution, classes, mean, std, arch))
    step = build_train_step(task, net, optimizer, rate, inputs, train, spec.seed, arch)

    state = jax.eval_shape(
        lambda v: first_state(v, optimizer, train.ema > 0),
        abstract_variables(net, arch.resolution, channels),
    )
    shape = jax.ShapeDtypeStruct
    columns = arch.columns or side
    batch = {
        "image": shape((1, train.batch, side, columns, channels), jnp.uint8),
        "label": shape((1, train.batch, 5) if "boxes" in task.fields else (1, train.batch), jnp.int32),
        "boxes": shape((1, train.batch, 5, 4), jnp.float32),
        "mask": shape((1, train.batch, side, columns), jnp.uint8),
        "size": shape((1, train.batch, 2), jnp.int32),
        "position": shape((1, train.batch), jnp.int32),
    }
    devices = jax.vmap(step, in_axes=(None, 0, None), out_axes=(None, 0), axis_name=AXIS)
    after, metrics = jax.eval_shape(devices, state, batch, {})
    assert jax.tree.map(kind, after) == jax.tree.map(kind, state)
    assert all(value.shape == (1,) for value in metrics.values())
    counted = totals(arch) or count(arch)  # by arithmetic, which tests/cost holds equal to the count
    assert sum(leaf.size for leaf in jax.tree.leaves(state.params)) == counted.params


def first_state(variables, optimizer, ema: bool) -> TrainState:
    """The state of step 0, traceable."""
    params, batch_stats = variables["params"], variables.get("batch_stats", {})
    return TrainState(
        jnp.zeros([], jnp.int32),
        params,
        batch_stats,
        optimizer.init(params),
        {"params": params, "batch_stats": batch_stats} if ema else None,
    )


def kind(leaf) -> tuple:
    return leaf.shape, leaf.dtype
