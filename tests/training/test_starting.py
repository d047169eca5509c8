"""A run may start from given weights: all of them, or all but a classifier of other classes."""

import jax
import numpy as np
import pytest
from flax import traverse_util

import scaling
from scaling.arch.heads import HEADS
from scaling.models.initialize import initialize
from scaling.training import starting
from scaling.training.plan import make_plan
from scaling.training.runtime import Runtime

ARCH = scaling.get("lenet5").replace(num_classes=7, in_channels=1)
VARIABLES = initialize(scaling.build(ARCH), 5)


def test_the_same_network_takes_every_array():
    fresh = initialize(scaling.build(ARCH), 0)
    taken = starting.started(ARCH, fresh, VARIABLES, "x")
    jax.tree.map(np.testing.assert_array_equal, taken, VARIABLES)


def test_other_classes_get_a_new_classifier_and_nothing_else():
    arch = ARCH.replace(num_classes=3)
    fresh = initialize(scaling.build(arch), 0)
    taken = starting.started(arch, fresh, VARIABLES, "x")["params"]
    np.testing.assert_array_equal(taken["classifier"]["kernel"], fresh["params"]["classifier"]["kernel"])
    for name in VARIABLES["params"].keys() - {"classifier"}:
        jax.tree.map(np.testing.assert_array_equal, taken[name], VARIABLES["params"][name])


@pytest.mark.parametrize("head, follow", [("ssd", 6), ("fasterrcnn", 2), ("unet", 1), ("fcn", 1)])
def test_what_follows_the_classes_of_a_head_is_new_and_nothing_else(head, follow):
    base = scaling.get("cifar_resnet20").replace(head=HEADS[head], resolution=32)
    given = initialize(scaling.build(base.replace(num_classes=3)), 5)
    arch = base.replace(num_classes=5)
    fresh = initialize(scaling.build(arch), 0)
    taken = starting.started(arch, fresh, given, "x")
    flat = {name: traverse_util.flatten_dict(tree) for name, tree in zip("tfg", (taken, fresh, given))}
    new = {path for path, leaf in flat["t"].items() if leaf is flat["f"][path]}
    assert len({path[:-1] for path in new}) == follow
    for path in flat["t"].keys() - new:
        np.testing.assert_array_equal(flat["t"][path], flat["g"][path])


def test_another_network_is_refused_with_its_arrays():
    wider = scaling.scale(ARCH, width=2.0)
    with pytest.raises(ValueError, match=r"config\.model\.init='x'.*holds other arrays.*needed .*given"):
        starting.started(wider, initialize(scaling.build(wider), 0), VARIABLES, "x")


def test_a_run_starts_from_the_file_that_its_config_names(make_spec, tmp_path):
    plain = make_spec()
    arch = make_plan(plain).arch.replace(num_classes=4)
    given = initialize(scaling.build(arch), 9)
    scaling.save(tmp_path / "w.safetensors", arch, given)
    spec = make_spec({"model.init": str(tmp_path / "w.safetensors")})
    state, before = Runtime(make_plan(spec)).first_state(), Runtime(make_plan(plain)).first_state()
    assert spec.id != plain.id
    for name, leaves in state.params.items():
        expected = before.params[name] if name == "classifier" else given["params"][name]
        jax.tree.map(np.testing.assert_array_equal, leaves, expected)


def test_other_weights_under_the_same_name_are_another_run(make_spec, tmp_path):
    (tmp_path / "me@home").mkdir()
    path = tmp_path / "me@home" / "w.safetensors"
    scaling.save(path, ARCH, VARIABLES)
    spec = make_spec({"model.init": str(path)})
    assert make_spec({"model.init": spec.model.init}) == spec and spec.model.init.startswith(f"{path}@")
    jax.tree.map(np.testing.assert_array_equal, starting.read(spec.model.init), VARIABLES)
    scaling.save(path, ARCH, initialize(scaling.build(ARCH), 6))
    assert make_spec({"model.init": str(path)}).id != spec.id
    with pytest.raises(ValueError, match="the file has changed, its content is now @.*for a new run"):
        starting.read(spec.model.init)


def test_a_missing_file_is_named_before_anything_is_read(make_spec):
    with pytest.raises(
        ValueError, match=r"config\.model\.init='no\.safetensors'.*cannot be read.*scaling\.save"
    ):
        make_spec({"model.init": "no.safetensors"})
