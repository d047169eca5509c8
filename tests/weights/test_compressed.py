"""Compressed weights load as the quantised ones; pruning keeps the largest."""

import numpy as np
import pytest

import scaling
from scaling.models.initialize import initialize
from scaling.weights import files
from scaling.weights.compressed import Quantised, expanded, from_bytes, quantise, stated_shapes, to_bytes
from scaling.weights.pruning import GLOBAL, LAYER, density_of, prune, schedule

ARCH = scaling.get("lenet5")


@pytest.fixture(scope="module")
def variables():
    return initialize(scaling.build(ARCH), 0)


def kernel(shape, density, seed=0):
    rng = np.random.default_rng(seed)
    return np.where(rng.random(shape) < density, rng.normal(size=shape), 0).astype(np.float32)


@pytest.mark.parametrize("density", [0.0, 0.001, 0.1, 1.0])
@pytest.mark.parametrize("shape", [(7,), (3, 3, 40, 30), (2, 5, 1)])
def test_bytes_hold_the_quantised_kernel(shape, density):
    found = quantise(kernel(shape, density), 4)
    again = from_bytes(to_bytes(found))
    np.testing.assert_array_equal(again.kernel(), found.kernel())
    assert again.kernel().shape == shape and again.kernel().dtype == np.float32
    assert stated_shapes({"params/x/kernel": to_bytes(found)}) == {"params/x/kernel": shape}


def test_what_is_0_stays_and_each_weight_takes_its_nearest_shared_value():
    weights = kernel((40, 50), 0.3)
    found = quantise(weights, 3)
    np.testing.assert_array_equal(found.kernel() == 0, weights == 0)
    told = weights.ravel()[found.places]
    nearest = np.abs(told[:, None] - found.values[None]).min(1)
    np.testing.assert_allclose(np.abs(told - found.values[found.codes]), nearest, atol=1e-6)
    assert len(found.values) <= 8
    for code, value in enumerate(found.values):
        assert value == pytest.approx(told[found.codes == code].mean(), abs=1e-3)


def test_values_that_already_fit_are_kept_exactly():
    weights = np.random.default_rng(0).choice(np.float32([-0.5, 0, 0.25, 2.0]), (30, 30))
    np.testing.assert_array_equal(quantise(weights, 8).kernel(), weights)


def test_a_compressed_file_loads_as_the_quantised_network_and_is_smaller(variables, tmp_path):
    pruned = prune(variables, 0.2)
    scaling.save(tmp_path / "plain.safetensors", ARCH, pruned)
    scaling.save(tmp_path / "small.safetensors", ARCH, pruned, bits=5)
    loaded = scaling.load(tmp_path / "small.safetensors")
    assert loaded.arch == ARCH
    for name, tree in loaded.variables["params"].items():
        leaves = tree["first"]["conv"] if "first" in tree else tree
        told = pruned["params"][name]["first"]["conv"] if "first" in tree else pruned["params"][name]
        np.testing.assert_array_equal(leaves["kernel"], quantise(told["kernel"], 5).kernel())
        np.testing.assert_array_equal(leaves["bias"], told["bias"])
    sizes = [(tmp_path / f"{name}.safetensors").stat().st_size for name in ("plain", "small")]
    assert sizes[0] > 8 * sizes[1]


@pytest.mark.parametrize("cut", [5, 40, 400])
def test_damage_is_told(cut):
    data = to_bytes(quantise(kernel((30, 40), 0.3), 4))
    with pytest.raises(ValueError, match="damaged"):
        expanded({"params/x/kernel": data[:cut]})


def test_a_shape_larger_than_its_symbols_say_is_not_made():
    data = to_bytes(quantise(kernel((3, 4), 1.0), 4)).copy()
    data[19:23] = 255  # the first side
    with pytest.raises(ValueError, match="do not fit its shape"):
        from_bytes(data)


def test_kernels_that_do_not_fit_the_network_are_refused_before_they_are_expanded(
    variables, tmp_path, monkeypatch
):
    path = tmp_path / "w.safetensors"
    scaling.save(path, ARCH, variables, bits=4)
    tensors, metadata = files.read_safetensors(path), files.read_metadata(path)
    nothing = np.zeros(0, int)
    tensors["params/classifier/kernel"] = to_bytes(Quantised((3000, 3000), nothing, nothing, nothing))
    files.write_safetensors(path, tensors, metadata)
    monkeypatch.setattr(files, "expanded", lambda tensors: pytest.fail("expanded"))
    with pytest.raises(ValueError, match=r"classifier/kernel has shape \(3000, 3000\)"):
        scaling.load(path)


@pytest.mark.parametrize("scope", [LAYER, GLOBAL])
def test_pruning_keeps_the_largest_weights_and_all_else(variables, scope):
    pruned = prune(variables, 0.25, scope)
    assert density_of(pruned) == pytest.approx(0.25, abs=0.01)
    for name in ("hidden_0", "classifier"):
        before, after = (np.asarray(tree["params"][name]["kernel"]) for tree in (variables, pruned))
        kept = after != 0
        np.testing.assert_array_equal(after[kept], before[kept])
        assert not kept.any() or kept.all() or np.abs(before[kept]).min() >= np.abs(before[~kept]).max()
        np.testing.assert_array_equal(pruned["params"][name]["bias"], variables["params"][name]["bias"])
        if scope == LAYER:
            assert kept.mean() == pytest.approx(0.25, abs=0.01)


def test_rounds_end_at_the_density_and_only_cut():
    found = list(schedule(0.1, 4))
    assert found[-1] == pytest.approx(0.1) and found == sorted(found, reverse=True) and found[0] < 1
