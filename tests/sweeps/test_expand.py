"""A sweep expands to the product it states, and a trial's id is a function of what it computes."""

import math

import pytest

import scaling
from scaling.runs.spec import RunSpec
from scaling.sweeps.expand import expand, grid, only, product, seeds, trials, zipped


def test_counts_multiply_and_the_last_axis_is_fastest():
    axes = {"model.phi": [0.0, 1.0, 2.0], "train.batch": [32, 64]}
    both = {"model.name": ["resnet18", "efficientnet_b0"], "model.base_width": [0.5, 0.25]}
    sweep = expand({"seeds": [0, 1], "grid": axes, "zip": both})
    assert len(sweep) == math.prod([3, 2, 2, 2])
    assert sweep == product(zipped(both), grid(axes), seeds([0, 1]))
    assert [o["seed"] for o in sweep[:4]] == [0, 1, 0, 1]
    assert [o["model.name"] for o in sweep] == ["resnet18"] * 12 + ["efficientnet_b0"] * 12
    assert {(o["model.name"], o["model.base_width"]) for o in sweep} == set(zip(*both.values()))


def test_a_list_is_taken_as_it_is():
    listed = [{"model.phi": 1.0, "seed": 3}, {}, {"seed": 3}]
    assert expand(listed) == listed


@pytest.mark.parametrize(
    ("sweep", "names"),
    [
        ([], "empty"),
        ({}, "empty"),
        ({"seeds": []}, "seeds"),
        ({"seeds": 3}, "seeds"),
        ({"grid": {"model.phi": 1.0}}, "model.phi"),
        ({"grid": {"model.name": "resnet18"}}, "model.name"),
        ({"gird": {"model.phi": [1.0]}}, "did you mean 'grid'"),
        ({"model.phi": [1.0]}, "axis"),
        ({1: [2]}, "unknown key 1"),
        ({"grid": [1, 2]}, r"grid=\[1, 2\] must hold at least one axis"),
        ({"grid": None}, "grid=None must hold at least one axis"),
        ({"grid": {}}, "grid={} must hold at least one axis"),
        ({"grid": {1: [2]}}, "grid={1: .* must hold at least one axis"),
        ({"zip": 3}, "zip=3 must hold at least one axis"),
        ({"zip": {}}, "zip={} must hold at least one axis"),
        ([{1: 2}], "let it return a list of dicts"),
        ([3], "let it return a list of dicts"),
        ({"zip": {"model.phi": [1.0], "seed": [1, 2]}}, "length"),
        ({"grid": {"seed": [1]}, "seeds": [1]}, "seed in two places"),
    ],
)
def test_a_sweep_that_cannot_be_meant_is_an_error_that_names_it(sweep, names):
    with pytest.raises(ValueError, match=names):
        expand(sweep)


@pytest.mark.parametrize(
    ("overrides", "names"),
    [
        ({"model.fi": 1.0}, r"config\.model\.fi; did you mean 'phi'"),
        ({"modle.phi": 1.0}, r"config\.modle holds no keys; did you mean 'model'"),
        ({"model.phi.x": 1.0}, r"config\.model\.phi holds no keys"),
        ({"model.phi": "one"}, r"config\.model\.phi='one'"),
        ({"model": {"phi": 1.0}}, r'config\.model is a section: set its keys by "model\.key", name, arch, '),
        ({"train": None}, r"config\.train is a section"),
    ],
)
def test_an_override_that_fits_no_field_is_an_error_that_names_it(overrides, names):
    with pytest.raises(ValueError, match=names):
        trials(RunSpec(), [overrides])


def test_an_architecture_is_set_as_a_whole():
    arch = scaling.get("lenet5")
    (one, other), _ = trials(
        RunSpec(), [{"model.arch": value} for value in (arch, arch.to_dict() | {"name": "x"})]
    )
    assert one.spec.model.arch == arch and other.spec.model.arch == arch.replace(name="x")


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Networks and weights of one's own, in the directory of the command."""
    monkeypatch.chdir(tmp_path)
    code = "from flax import linen as nn\ndef {}(depth, width, resolution):\n    return nn.Dense(2)\n"
    (tmp_path / "net.py").write_text(code.format("plain") + code.format("other"))
    (tmp_path / "w.safetensors").write_bytes(b"weights")


def test_a_file_is_picked_without_its_digest_too(files):
    names = [{"model.name": f"net.py:{name}"} for name in ("plain", "other")]
    plain, other, init, none = made = trials(RunSpec(), [*names, {"model.init": "w.safetensors"}, {}])[0]
    assert "@" in plain.spec.model.name and "@" in init.spec.model.init
    for told in ("net.py:plain", plain.spec.model.name):
        assert only(made, {"model.name": told}) == [plain]
    assert only(made, {"model.init": "w.safetensors"}) == [init]
    assert only(made, {"model.init": ""}) == [plain, other, none]
    with pytest.raises(ValueError, match="no trial has model.name="):
        only(made, {"model.name": "net.py"})


def test_same_overrides_give_the_same_id_in_any_order():
    (a,), _ = trials(RunSpec(seed=1), [{"model.phi": 1.0, "train.batch": 64}])
    (b,), _ = trials(RunSpec(seed=1), [{"train.batch": 64, "model.phi": 1}])
    (other,), _ = trials(RunSpec(seed=2), [{"train.batch": 64, "model.phi": 1}])
    assert a.spec.id == b.spec.id != other.spec.id


def test_how_a_run_is_executed_does_not_change_its_id():
    plain, _ = trials(RunSpec(), [{}])
    for logistic in (
        {"train.engine": "jit"},
        {"data.workers": 2},
        {"train.timeout": 60.0},
        {"model.scan": True},
    ):
        changed, _ = trials(RunSpec(), [logistic])
        assert changed[0].spec.id == plain[0].spec.id
        assert changed[0].spec != plain[0].spec


def test_duplicates_run_once_with_a_note():
    distinct, notes = trials(RunSpec(), [{"seed": 1}, {"seed": 2}, {"seed": 1, "model.phi": 0.0}])
    assert [t.spec.seed for t in distinct] == [1, 2]
    assert len(notes) == 1 and distinct[0].spec.id in notes[0] and "model.phi" in notes[0]
