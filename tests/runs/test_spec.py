"""The one border: what a config may say, what it is told when it may not, and what names a run."""

import dataclasses
import hashlib
import json
import math
import re

import pytest

import scaling
from scaling.runs.duration import Duration
from scaling.runs.spec import ModelSpec, RunSpec

FIELDS = [
    (section.name, f)
    for section in dataclasses.fields(RunSpec)
    if dataclasses.is_dataclass(getattr(RunSpec(), section.name))
    for f in dataclasses.fields(getattr(RunSpec(), section.name))
]
EXECUTION = {(section, f.name) for section, f in FIELDS if not f.metadata.get("identity", True)}
LATER = {(section, f.name) for section, f in FIELDS if "later" in f.metadata}

ARCH = scaling.get("resnet18").replace(num_classes=10, resolution=64)

CONFIG = {
    "seed": 3,
    "model": {"name": "resnet50", "strides": [1, 2], "phi": 1, "norm_momentum": None},
    "augment": {"area": [0.5, 1.0]},
    "schedule": {"name": "step", "boundaries": ["1 epochs", "20 steps"]},
    "train": {"progressive": [[0.0, 0.5], [0.5, 1.0]], "devices": 2},
}


def test_round_trip():
    spec = RunSpec.from_config(CONFIG)
    assert RunSpec.from_config(spec.to_dict()) == spec
    assert spec.model.strides == (1, 2) and spec.train.progressive == ((0.0, 0.5), (0.5, 1.0))


def test_the_spec_of_a_finished_run_is_read_where_its_files_are_gone():
    gone = {"name": "gone.py:network@0123456789ab", "init": "gone.safetensors"}
    spec = RunSpec.from_dict({"model": gone, "data": {"source": "folder", "dir": "gone"}})
    assert (spec.model.name, spec.model.init, spec.data.dir) == (*gone.values(), "gone")
    assert RunSpec.from_dict(spec.to_dict()) == spec
    with pytest.raises(ValueError, match=r"gone\.safetensors cannot be read"):
        RunSpec.from_config({"model": {"init": gone["init"]}})


def test_a_row_is_read_also_where_its_rule_did_not_read_a_factor():
    older = {"model": {"rule": "width", "width": 2.0, "phi": 1.0}}
    assert RunSpec.from_dict(older).model.width == 2.0
    with pytest.raises(ValueError, match="is read by rule 'axes' alone"):
        RunSpec.from_config(older)


@pytest.mark.parametrize("value, read", [(True, True), (False, False), ([0, 2], (0, 2)), ((), ())])
def test_stages_to_recompute_are_all_none_or_listed(value, read):
    spec = RunSpec.from_config({"model": {"remat": value}})
    assert spec.model.remat == read and RunSpec.from_config(spec.to_dict()) == spec
    assert spec.id == RunSpec().id


def test_a_whole_number_may_stand_for_a_real_one_and_gives_the_same_run():
    whole, real = (RunSpec.from_config({"model": {"phi": phi}}) for phi in (1, 1.0))
    assert whole == real and whole.id == real.id


@pytest.mark.parametrize("given", [ARCH, ARCH.to_dict(), json.loads(ARCH.to_json())])
def test_an_architecture_is_a_value_and_its_dict_gives_the_same_run(given):
    spec = RunSpec.from_config({"model": {"arch": given}})
    assert spec.model.arch == ARCH and spec == RunSpec.from_dict(json.loads(json.dumps(spec.to_dict())))
    assert spec.to_dict()["model"]["arch"] == json.loads(ARCH.to_json())


def test_the_id_of_an_architecture_is_that_of_its_dict():
    """The hashed text holds the dict, so rows from before `model.arch` was a value keep their ids."""
    spec = RunSpec(model=ModelSpec(arch=ARCH))
    text = json.dumps(without_later_and_execution(spec.to_dict()), sort_keys=True)
    assert hashlib.sha256(text.encode()).hexdigest()[:12] == spec.id


def damage(path, value):
    """The dict of an architecture with one place changed."""
    data = ARCH.to_dict()
    *inner, last = path
    at = data
    for key in inner:
        at = at[key]
    if value is None:
        del at[last]
    else:
        at[last] = value
    return data


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"type": "Arch"},
        {"type": "Stage", "block": {"type": "Conv"}, "width": 3},
        damage(["type"], None),
        damage(["resolution"], None),
        damage(["resolution"], "big"),
        damage(["stages"], [1, 2]),
        damage(["stages"], 3),
        damage(["stages", 0, "width"], "wide"),
        damage(["stages", 0, "block", "type"], "Konv"),
        damage(["stages", 0, "block", "colour"], "red"),
    ],
)
def test_a_malformed_architecture_is_an_error_that_names_its_place(data):
    with pytest.raises(ValueError, match=r"config\.model\.arch"):
        RunSpec.from_config({"model": {"arch": data}})


def test_an_architecture_is_no_text():
    with pytest.raises(ValueError, match=r"config\.model\.arch='resnet18' must be a section"):
        RunSpec.from_config({"model": {"arch": "resnet18"}})


def test_an_empty_config_has_the_defaults():
    assert RunSpec.from_config({}) == RunSpec()


@pytest.mark.parametrize(
    "config, message",
    [
        ({"trian": {}}, r"config\.trian.*'train'"),
        ({"model": {"widht": 2.0}}, r"config\.model\.widht.*'width'"),
        ({"model": 3}, r"config\.model=3 must be a section of keys"),
        ({"seed": "0"}, r"config\.seed='0' must be int"),
        ({"seed": True}, r"config\.seed=True must be int"),
        ({"seed": -1}, r"seed=-1 must be from 0 to 2\*\*63 - 1"),
        ({"seed": 2**63}, r"seed=9223372036854775808 must be from 0"),
        ({"model": {"phi": "1"}}, r"config\.model\.phi='1' must be float"),
        ({"model": {"phi": True}}, r"config\.model\.phi=True must be float"),
        ({"model": {"strides": [1, 2.5]}}, r"config\.model\.strides\[1\]=2\.5 must be int"),
        ({"model": {"remat": "all"}}, r"config\.model\.remat='all' must be bool"),
        ({"model": {"remat": None}}, r"config\.model\.remat=None must be bool"),
        ({"model": {"remat": [0, True]}}, r"config\.model\.remat\[1\]=True must be int"),
        (
            {"model": {"width": 2.0}},
            r"config\.model\.width=2 is read by rule 'axes' alone, and the rule is 'compound'",
        ),
        ({"model": {"rule": "axes", "phi": 1.0}}, r"config\.model\.phi=1 is not read by rule 'axes'"),
        (
            {"model": {"rule": "efficientnet", "size": "b1", "phi": 1.0}},
            r"size='b1' and config\.model\.phi=1\.0 both say how large",
        ),
        ({"augment": {"area": [1.0]}}, r"config\.augment\.area=.* must have 2 entries"),
        ({"optimizer": {"name": "adam"}}, r"config\.optimizer\.name='adam'.*'adamw'"),
        ({"train": {"engine": "tpu"}}, r"config\.train\.engine='tpu'.*pmap"),
        ({"train": {"batch": 10, "accumulate": 3}}, r"batch=10 must be a multiple of .*accumulate=3"),
        ({"train": {"batch": 0}}, r"batch=0"),
    ],
)
def test_an_error_names_the_path_the_value_and_the_rule(config, message):
    with pytest.raises(ValueError, match=message):
        RunSpec.from_config(config)


@pytest.mark.parametrize(
    "section, key, value",
    [
        ("model", "phi", math.inf),
        ("model", "norm_momentum", 1.0),
        ("optimizer", "lr", 0.0),
        ("optimizer", "lr", math.inf),
        ("optimizer", "lr_batch", -1),
        ("optimizer", "momentum", 1.0),
        ("optimizer", "rms_decay", -0.1),
        ("optimizer", "b1", 1.0),
        ("optimizer", "b2", math.nan),
        ("optimizer", "eps", -1e-8),
        ("optimizer", "weight_decay", -1e-4),
        ("optimizer", "clip_norm", -1.0),
        ("optimizer", "trust", 0.0),
        ("schedule", "factor", 1.5),
        ("schedule", "final", -0.1),
        ("schedule", "power", -1.0),
        ("train", "steps_per_call", 0),
        ("train", "ema", 1.0),
        ("train", "label_smoothing", math.nan),
        ("train", "progressive_magnitude", (11.0,)),
        ("augment", "eval_crop", 0.0),
        ("augment", "erase", 2.0),
        ("augment", "noise", -1.0),
    ],
)
def test_a_number_must_lie_in_its_range(section, key, value):
    with pytest.raises(ValueError, match=rf"config\.{section}\.{key}={re.escape(str(value))} must be "):
        RunSpec.from_config({section: {key: value}})
    with pytest.raises(ValueError, match=rf"config\.{section}\.{key}="):
        RunSpec().revised({f"{section}.{key}": value})


def test_what_is_off_at_0_may_be_0():
    optimizer = {"lr_batch": 0, "momentum": 0.0, "eps": 0.0, "weight_decay": 0.0, "clip_norm": None}
    values = {"optimizer": optimizer, "schedule": {"final": 0.0}, "augment": {"noise": 0.0, "mixup": 0.0}}
    assert RunSpec.from_config(values | {"model": {"norm_momentum": 0.0}}).optimizer.lr_batch == 0


@pytest.mark.parametrize(
    "key", ["base_depth", "base_width", "depth", "width", "resolution", "alpha", "beta", "gamma"]
)
@pytest.mark.parametrize("value", [0, -1.5])
def test_a_factor_must_be_above_0(key, value):
    with pytest.raises(ValueError, match=rf"config\.model\.{key}={float(value)} must be above 0"):
        RunSpec.from_config({"model": {key: value}})


@pytest.mark.parametrize(
    "section, key",
    [("train", "duration"), ("train", "eval_every"), ("schedule", "warmup"), ("schedule", "every")],
)
@pytest.mark.parametrize("text", ["30", "30 hours", "-1 epochs", "", "epochs"])
def test_a_duration_needs_a_number_and_a_unit(section, key, text):
    with pytest.raises(ValueError, match="write it as '30 epochs' or '500 steps'"):
        RunSpec.from_config({section: {key: text}})


@pytest.mark.parametrize(
    "text, steps",
    [("1 epoch", 10), ("2.4 epochs", 24), (".5 epochs", 5), ("7 steps", 7), ("1 step", 1), (" 3epochs ", 30)],
)
def test_durations_in_steps(text, steps):
    assert Duration.parse(text).steps(steps_per_epoch=10) == steps


def changed(value):
    """Another value of the same type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, str):
        return value + "x"
    return (*value, 1) if isinstance(value, tuple) else 1  # None of an optional number


def variants():
    """The default spec with one field changed, for every field: (section, field, spec)."""
    base = RunSpec()
    for section in dataclasses.fields(base):
        inner = getattr(base, section.name)
        for field in dataclasses.fields(inner) if dataclasses.is_dataclass(inner) else ():
            other = dataclasses.replace(
                inner, **{field.name: ARCH if field.name == "arch" else changed(getattr(inner, field.name))}
            )
            yield section.name, field, dataclasses.replace(base, **{section.name: other})


def test_the_id_changes_with_what_is_computed_and_with_nothing_else():
    ids = {RunSpec().id}
    for section, field, spec in variants():
        if field.metadata.get("identity", True):
            assert spec.id not in ids, f"{section}.{field.name} changes the result but not the id"
            ids.add(spec.id)
        else:
            assert spec.id == RunSpec().id, f"{section}.{field.name} does not change the result"
    assert RunSpec(seed=1).id not in ids


def test_where_and_how_fast_a_run_goes_is_not_its_identity():
    logistic = {f"{section}.{f.name}" for section, f, spec in variants() if spec.id == RunSpec().id}
    assert {"data.dir", "data.workers", "train.devices", "train.engine", "model.scan"} <= logistic
    assert not {"train.batch", "train.duration", "train.ema", "model.dtype", "data.limit"} & logistic


def without_later_and_execution(data):
    """What a spec's dict says of identity, its later fields being at their defaults."""
    left_out = EXECUTION | LATER
    own = {f.name for f in dataclasses.fields(RunSpec) if "later" in f.metadata}
    data = {name: value for name, value in data.items() if name not in own}
    return {
        section: {k: v for k, v in values.items() if (section, k) not in left_out}
        if isinstance(values, dict)
        else values
        for section, values in data.items()
    }


def test_a_field_that_came_later_leaves_old_ids_as_they_were_at_its_default():
    """The ids of runs from before `model.size` and `optimizer.frozen`: their rows must still be found."""
    before = RunSpec()
    assert {("model", "size"), ("model", "exponent"), ("optimizer", "frozen")} <= LATER
    identity = without_later_and_execution(before.to_dict())
    text = json.dumps(identity, sort_keys=True)
    assert hashlib.sha256(text.encode()).hexdigest()[:12] == before.id == RunSpec.from_dict(identity).id


def test_a_revised_run_shares_what_did_not_change_and_has_the_id_of_one_read_anew():
    base = RunSpec()
    revised = base.revised({"model.phi": 1.0, "optimizer.lr": 0.3, "seed": 4})
    assert revised.data is base.data and revised.train is base.train and revised.model is not base.model
    assert revised.id == RunSpec.from_dict(revised.to_dict()).id != base.id
    assert dataclasses.replace(revised, seed=5).id != revised.id
