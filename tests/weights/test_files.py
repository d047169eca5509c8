"""A file of weights loads alone, in either naming, and a damaged or foreign one says what is wrong."""

import jax
import ml_dtypes
import numpy as np
import pytest

import scaling
from scaling.models.initialize import initialize
from scaling.weights.files import read_metadata, read_safetensors, write_safetensors
from scaling.weights.preprocessing import Preprocessing

RECORD = Preprocessing(40, 0.9, "squash", "bilinear")


@pytest.fixture(scope="module")
def arch() -> scaling.Arch:
    return scaling.get("mnasnet_small").replace(num_classes=7, resolution=32, drop_rate=0.3)


@pytest.fixture(scope="module")
def variables(arch):
    return initialize(scaling.build(arch), seed=1)


def assert_same(one, two):
    assert jax.tree.structure(one) == jax.tree.structure(two)
    jax.tree.map(np.testing.assert_array_equal, one, two)


@pytest.mark.parametrize("names", ["ours", "peer"])
@pytest.mark.parametrize("record", [RECORD, None])
def test_what_is_saved_loads_alone(tmp_path, arch, variables, names, record):
    path = tmp_path / "w.safetensors"
    scaling.save(path, arch, variables, record, names=names)
    loaded = scaling.load(path)
    assert (loaded.arch, loaded.preprocessing) == (arch, record)
    assert_same(loaded.variables, variables)
    assert [p.name for p in tmp_path.iterdir()] == ["w.safetensors"]


def test_names_are_as_promised(tmp_path, arch, variables):
    for names in ("ours", "peer"):
        scaling.save(tmp_path / names, arch, variables, names=names)
    ours, peer = read_safetensors(tmp_path / "ours"), read_safetensors(tmp_path / "peer")
    kernel = variables["params"]["stem_0"]["first"]["conv"]["kernel"]
    np.testing.assert_array_equal(ours["params/stem_0/first/conv/kernel"], kernel)
    np.testing.assert_array_equal(peer["conv_stem.weight"], kernel.transpose(3, 2, 0, 1))
    assert peer.keys() == scaling.to_torch(arch, variables).keys()
    assert read_metadata(tmp_path / "peer")["format"] == "pt"


def test_a_network_without_a_peer_is_saved_in_our_names(tmp_path):
    arch = scaling.get("cifar_resnet20")
    variables = initialize(scaling.build(arch), seed=1)
    scaling.save(tmp_path / "w", arch, variables)
    assert_same(scaling.load(tmp_path / "w").variables, variables)
    with pytest.raises(ValueError, match="cifar_resnet20 has no peer .* names=ours"):
        scaling.save(tmp_path / "peer", arch, variables, names="peer")
    assert not (tmp_path / "peer").exists()


def test_a_peers_file_needs_its_network_named(tmp_path, arch, variables):
    path = tmp_path / "peer.safetensors"
    write_safetensors(path, scaling.to_torch(arch, variables))
    with pytest.raises(ValueError, match=r"does not state its network.*arch=scaling.get"):
        scaling.load(path)
    assert_same(scaling.load(path, arch).variables, variables)
    scaling.save(path, arch, variables)
    assert scaling.load(path, arch.replace(resolution=64)).arch.resolution == 64


@pytest.mark.parametrize("names", ["ours", "peer"])
def test_bfloat16_is_read_exactly(tmp_path, arch, variables, names):
    halved = jax.tree.map(lambda x: x.astype(ml_dtypes.bfloat16), variables)
    scaling.save(tmp_path / "w", arch, halved, names=names)
    stored = read_safetensors(tmp_path / "w")
    assert {array.dtype for array in stored.values()} == {np.dtype(ml_dtypes.bfloat16)}
    loaded = scaling.load(tmp_path / "w").variables
    assert_same(loaded, jax.tree.map(lambda x: x.astype(np.float32), halved))
    assert all(leaf.dtype == np.float32 for leaf in jax.tree.leaves(loaded))


def test_arrays_that_lie_otherwise_are_written_as_they_read(tmp_path):
    array = np.arange(6.0, dtype=np.float32).reshape(2, 3)
    write_safetensors(tmp_path / "w", {"t": array.T, "s": array[:, ::2], "n": np.float32(3)}, {"a": "b"})
    found = read_safetensors(tmp_path / "w")
    np.testing.assert_array_equal(found["t"], array.T)
    np.testing.assert_array_equal(found["s"], array[:, ::2])
    assert found["n"].shape == () and read_metadata(tmp_path / "w") == {"a": "b"}


def test_every_misfit_of_ours_is_listed_and_nothing_is_written(tmp_path, arch, variables):
    flat = dict(variables["params"])
    flat["classifier"] = {"kernel": flat["classifier"]["kernel"][:, :5], "extra": np.zeros(3, np.float32)}
    with pytest.raises(ValueError, match="3 tensors do not fit mnasnet_small") as raised:
        scaling.save(tmp_path / "w", arch, {**variables, "params": flat})
    for told in (
        "missing params/classifier/bias",
        "unknown params/classifier/extra",
        "classifier/kernel has shape",
    ):
        assert told in str(raised.value)
    assert not list(tmp_path.iterdir())


def test_a_failed_write_leaves_the_old_file(tmp_path, arch, variables):
    scaling.save(tmp_path / "w", arch, variables)
    with pytest.raises(Exception, match="object"):
        write_safetensors(tmp_path / "w", {"bad": np.array([object()])})
    assert scaling.load(tmp_path / "w").arch == arch
    assert [path.name for path in tmp_path.iterdir()] == ["w"]


def test_bad_files_are_named(tmp_path, arch, variables):
    path = tmp_path / "w.safetensors"
    with pytest.raises(ValueError, match=r"w\.safetensors is not a file"):
        scaling.load(path)
    path.write_bytes(b"\x80\x04pickle")
    with pytest.raises(ValueError, match=r"w\.safetensors is not a readable .*pickles .* never read"):
        scaling.load(path)
    scaling.save(path, arch, variables)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ValueError, match="not a readable .safetensors file"):
        scaling.load(path)
    write_safetensors(path, {}, {"jax_compound.arch": '{"type": "Arch", "wings": 2}'})
    with pytest.raises(ValueError, match=r"w\.safetensors cannot be loaded: Arch has no field \['wings'\]"):
        scaling.load(path)
    with pytest.raises(ValueError, match="names='our' must be one of ours, peer; did you mean 'ours'"):
        scaling.save(path, arch, variables, names="our")
