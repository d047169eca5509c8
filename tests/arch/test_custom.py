"""A user's own network: counted, scaled, solved and trained like ours, or refused with the reason."""

import dataclasses
import json
import textwrap
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

import scaling
from scaling.arch.arch import from_record
from scaling.arch.custom import pin
from scaling.cost.counting import count_module
from scaling.models.initialize import initialize
from scaling.rules.factors import EFFICIENTNET, RESNET_RS
from scaling.rules.rounding import round_depth, round_width
from scaling.rules.scale import apply
from scaling.runs.resolve import resolve, rule_of
from scaling.runs.spec import ModelSpec, RunSpec
from scaling.training import starting
from scaling.training.optimizers import decay_mask
from scaling.weights.files import read_metadata, write_safetensors
from scaling.weights.torch import to_paths


class Small(nn.Module):
    width: int
    depth: int
    classes: int = 10
    drop: float = 0.5

    @nn.compact
    def __call__(self, x, train):
        for _ in range(self.depth):
            x = nn.BatchNorm(use_running_average=not train)(nn.Conv(self.width, (3, 3))(x))
        return nn.Dense(self.classes)(nn.Dropout(self.drop, deterministic=not train)(x.mean((1, 2))))


def small(depth, width, resolution, num_classes):
    return Small(round_width(8 * width, 4), round_depth(2 * depth), num_classes)


BASE = scaling.Custom(small, resolution=8, num_classes=10)


def test_it_is_counted_as_the_module_it_is():
    expected = count_module(small(1, 1, 8, 10), (8, 8, 3), train=False)
    assert scaling.count(BASE) == expected
    assert expected.params == (27 * 8 + 8) + (72 * 8 + 8) + 2 * 16 + 90 and expected.batch_stats == 32


def test_rules_multiply_its_factors_and_the_side():
    scaled = scaling.scale(scaling.scale(BASE, depth=2.0), depth=1.5, width=2.0, resolution=1.3)
    assert (scaled.depth, scaled.width, scaled.resolution) == (3.0, 2.0, 10)
    assert scaled.module() == small(3.0, 2.0, 10, 10) and scaled.name == "small d=2 d=1.5 w=2 r=1.3"
    assert scaling.compound(BASE, 0) is BASE and scaling.scale(BASE) is BASE
    assert apply(BASE, EFFICIENTNET, "b3").width == 1.2
    assert scaling.compound(BASE, 1).sizes == apply(BASE, rule_of(ModelSpec()), 1.0).sizes


@pytest.mark.representatives(1)
@pytest.mark.parametrize("along", ["compound", "width", "depth"])
def test_the_solved_size_is_the_nearest(along):
    fit = scaling.solve(BASE, params=4000, along=along)
    assert fit.achieved == scaling.count(fit.arch).params and abs(fit.error) <= fit.step / 2
    assert apply(BASE, fit.rule, fit.at) == fit.arch


def test_its_own_initialisers_draw_by_the_seed():
    net = scaling.build(BASE)
    first, again, other = (initialize(net, seed) for seed in (0, 0, 1))
    drawn = net.module.init(jax.random.key(0), jnp.zeros((1, 8, 8, 3)), train=False)
    jax.tree.map(np.testing.assert_array_equal, first, again)
    jax.tree.map(np.testing.assert_array_equal, first, dict(drawn))
    assert (first["params"]["Conv_0"]["kernel"] != other["params"]["Conv_0"]["kernel"]).any()


def test_keys_of_the_examples_become_its_dropout_and_batch_norm_moves():
    net = scaling.build(BASE)
    variables = initialize(net, 0)
    images = jax.random.normal(jax.random.key(1), (4, 8, 8, 3))
    runs = [
        net.apply(
            variables,
            images,
            train=True,
            keys_b=jax.random.split(jax.random.key(k), 4),
            mutable=["batch_stats"],
        )
        for k in (0, 0, 1)
    ]
    np.testing.assert_array_equal(runs[0][0], runs[1][0])
    assert (runs[0][0] != runs[2][0]).any()
    assert (runs[0][1]["batch_stats"]["BatchNorm_0"]["mean"] != 0).any()
    assert net.apply(variables, images).shape == (4, 10)


def test_weight_decay_spares_the_norms_of_flax():
    params = initialize(scaling.build(BASE), 0)["params"]
    spared = decay_mask("no_norm")(params)
    assert spared["Conv_0"] == {"kernel": True, "bias": True} and not any(spared["BatchNorm_0"].values())


@dataclasses.dataclass(frozen=True)
class NotAModule:
    width: int


class NoTrain(nn.Module):
    def __call__(self, x):
        return x


class Listed(nn.Module):
    widths: list

    def __call__(self, x, train):
        return x


@pytest.mark.parametrize(
    "network, message",
    [
        (lambda depth, width, resolution: NotAModule(8), "returned NotAModule, not a flax"),
        (lambda depth, width, resolution: NoTrain(), "__call__ has no parameter 'train'"),
        (lambda depth, width, resolution: Listed([8]), "cannot be hashed.*use tuples"),
        (lambda depth, width: Small(8, 1), r"failed with TypeError.*function \(depth, width, resolution\)"),
    ],
)
def test_what_is_no_network_is_refused_when_it_is_named(network, message):
    with pytest.raises(ValueError, match=message):
        scaling.Custom(network, resolution=8)


class Cached(nn.Module):
    @nn.compact
    def __call__(self, x, train):
        self.variable("cache", "seen", jnp.zeros, ())
        return nn.Dense(10)(x.mean((1, 2)))


@pytest.mark.parametrize(
    "network, message",
    [
        (lambda depth, width, resolution: Cached(), "holds variables in 'cache'"),
        (
            lambda depth, width, resolution: Small(8, 1, classes=7),
            r"returned \(1, 7\) for 1 images of 10 classes",
        ),
    ],
)
def test_what_cannot_be_trained_is_refused_when_it_is_counted(network, message):
    with pytest.raises(ValueError, match=message):
        scaling.count(scaling.Custom(network, resolution=8, num_classes=10))


@pytest.mark.parametrize(
    "options, message",
    [
        ({"dtype": jnp.bfloat16}, "cannot be told dtype"),
        ({"axis_name": "batch"}, "cannot be told axis_name='batch'"),
        ({"remat": True}, "which remat=True cannot reach"),
        ({"scan": True}, "which scan=True cannot reach"),
        ({"frozen": ("stem",)}, "cannot reach"),
    ],
)
def test_options_that_it_does_not_take_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        scaling.build(BASE, **options)


def test_options_that_it_names_reach_it():
    def told(depth, width, resolution, num_classes, drop_rate=0.0):
        return Small(8, 1, num_classes, drop_rate)

    base = scaling.Custom(told, resolution=8, num_classes=10)
    assert base.replace(drop_rate=0.3).module() == Small(8, 1, 10, 0.3)
    with pytest.raises(ValueError, match="cannot be told norm_momentum=0.9"):
        base.replace(norm_momentum=0.9)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: apply(BASE, RESNET_RS, "101@160"), "one factor of depth"),
        (lambda: scaling.scale(BASE, rounding="narrow"), "rounding='narrow' does not apply"),
        (lambda: BASE.replace(stem="small"), "has no stem that could be set"),
        (lambda: BASE.to_json(), "cannot be written down"),
    ],
)
def test_what_only_our_networks_have_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


NET = """
    from flax import linen as nn

    class Net(nn.Module):
        width: int
        classes: int

        @nn.compact
        def __call__(self, x, train):
            return nn.Dense(self.classes)(nn.relu(nn.Conv(self.width, (3, 3))(x)).mean((1, 2)))

    def net(depth, width, resolution, num_classes):
        return Net(int(8 * width), num_classes)
"""


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "net.py"
    path.write_text(textwrap.dedent(NET))
    return path


def spec_of(**model) -> RunSpec:
    return RunSpec.from_config({"model": {"name": "net.py:net", "base_resolution": 8, **model}})


def test_a_config_names_a_file_and_the_run_its_text(file):
    spec = spec_of(phi=2.0)
    assert spec.model.name == pin("net.py:net") and RunSpec.from_config(spec.to_dict()) == spec
    arch, factors = resolve(spec.model, 10, 1)
    assert arch.module().width == 9 and factors.phi == 2.0 and arch.family == "net"
    assert from_record(json.loads(arch.to_json()), trust_code=True) == arch
    file.write_text(file.read_text().replace("8 *", "16 *"))
    changed = spec_of(phi=2.0)
    assert changed.id != spec.id and resolve(changed.model, 10, 1)[0].module().width == 19
    with pytest.raises(ValueError, match="the file has changed"):
        RunSpec.from_config(spec.to_dict())


def test_a_file_of_weights_runs_no_code_unless_its_reader_trusts_it(file):
    arch, _ = resolve(spec_of().model, 10, 1)
    variables = scaling.initialize(scaling.build(arch), seed=0)
    scaling.save("w.safetensors", arch, variables)
    file.write_text("open('ran', 'w').close()\n" + file.read_text())
    metadata = read_metadata("w.safetensors") | {
        "jax_compound.arch": json.dumps({**arch.to_dict(), "source": "net.py:net"})
    }
    for names in ("ours", "peer"):
        write_safetensors("w.safetensors", to_paths(variables), metadata | {"jax_compound.names": names})
        with pytest.raises(ValueError, match=r"w\.safetensors.*'net\.py:net'.*arch=, or trust_code=True"):
            scaling.load("w.safetensors")
    write_safetensors("w.safetensors", to_paths(variables), metadata)
    assert scaling.load("w.safetensors", arch=arch).arch == arch
    jax.tree.map(np.testing.assert_array_equal, starting.read("w.safetensors"), variables)
    assert not Path("ran").exists()
    assert scaling.load("w.safetensors", trust_code=True).arch.source == "net.py:net" and Path("ran").exists()


@pytest.mark.parametrize(
    "model, message",
    [
        ({"name": "absent.py:net"}, "absent.py cannot be read"),
        ({"name": "net.py:other"}, "defines no function 'other'"),
        ({"base_resolution": None}, "base_resolution must be set"),
        ({"stages": [0]}, "must name stages of net"),
        ({"strides": [1, 2]}, "has no strides that could be set"),
        ({"drop_rate": 0.2}, "cannot be told drop_rate=0.2"),
    ],
)
def test_a_config_that_cannot_be_resolved_says_why(file, model, message):
    with pytest.raises(ValueError, match=message):
        resolve(spec_of(**model).model, 10, 1)


def test_a_file_that_fails_says_where(file):
    file.write_text("raise RuntimeError('broken')")
    with pytest.raises(ValueError, match=r"net\.py cannot be imported: RuntimeError: broken"):
        resolve(spec_of().model, 10, 1)
