"""Published weights come from a directory or the hub's cache, without a network, or say what was tried."""

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

import scaling
from scaling.models.initialize import initialize
from scaling.weights.files import write_safetensors
from scaling.weights.hub import CONFIG, PICKLE, WEIGHTS, repository_of
from scaling.weights.preprocessing import Preprocessing

REPOSITORY = Path(__file__).resolve().parents[2]
NAME, REVISION = "mnasnet_small.lamb_in1k", 40 * "a"
PICTURE = {
    "tag": "lamb_in1k",
    "input_size": [3, 32, 32],
    "test_input_size": [3, 48, 48],
    "fixed_input_size": False,
    "pool_size": [1, 1],
    "interpolation": "bicubic",
    "crop_pct": 0.9,
    "test_crop_pct": 1.0,
    "mean": [0.5, 0.5, 0.5],
    "std": [0.25, 0.25, 0.25],
    "first_conv": "conv_stem",
    "classifier": "classifier",
}
NEW = {"architecture": "mnasnet_small", "num_classes": 7, "num_features": 1280, "global_pool": "avg"}
NEW = {**NEW, "pretrained_cfg": PICTURE}
OLD = {"architecture": "mnasnet_small", "num_classes": 7, "num_features": 1280, **PICTURE}


@pytest.fixture(scope="module")
def tensors() -> dict[str, np.ndarray]:
    arch = scaling.get("mnasnet_small").replace(num_classes=7)
    counters = {"bn1.num_batches_tracked": np.int64(5)}
    return {**scaling.to_torch(arch, initialize(scaling.build(arch), seed=2)), **counters}


@pytest.fixture
def directory(tmp_path, tensors) -> Path:
    """A local directory as timm writes it."""
    path = tmp_path / "weights"
    path.mkdir()
    (path / CONFIG).write_text(json.dumps(NEW))
    write_safetensors(path / WEIGHTS, tensors)
    return path


@pytest.fixture
def cache(tmp_path, directory) -> Path:
    """The hub's cache with one repository: blobs by hash, and a snapshot of links to them."""
    repository = tmp_path / "home" / "hub" / f"models--timm--{NAME}"
    snapshot = repository / "snapshots" / REVISION
    for folder in (repository / "blobs", repository / "refs", snapshot):
        folder.mkdir(parents=True)
    (repository / "refs" / "main").write_text(REVISION)
    for file in (CONFIG, WEIGHTS):
        data = (directory / file).read_bytes()
        blob = hashlib.sha256(data).hexdigest()
        (repository / "blobs" / blob).write_bytes(data)
        (snapshot / file).symlink_to(f"../../blobs/{blob}")
    return repository.parent


@pytest.fixture
def offline(monkeypatch):
    """The hub's library, without a network."""
    if importlib.util.find_spec("huggingface_hub") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("CI must have huggingface_hub: it is in the `test` extra.")
        pytest.skip("needs huggingface_hub: pip install 'jax-compound[hub]'")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


def change(directory: Path, changes: dict) -> None:
    (directory / CONFIG).write_text(json.dumps({**NEW, **changes}))


def assert_same(one, two):
    assert jax.tree.structure(one) == jax.tree.structure(two)
    jax.tree.map(np.testing.assert_array_equal, one, two)


def test_logits_are_those_of_load_torch(directory, tensors):
    arch, variables, preprocessing, _ = scaling.from_pretrained(directory)
    assert arch == scaling.get("mnasnet_small").replace(num_classes=7, resolution=32)
    assert preprocessing == Preprocessing(32, 0.9, "center", "bicubic", (0.5,) * 3, (0.25,) * 3)
    picture = np.random.default_rng(0).integers(0, 256, (50, 40, 3), dtype=np.uint8)
    x_nhwc = preprocessing.apply(picture)[None]
    apply = jax.jit(lambda v, x: scaling.build(arch).apply(v, x, train=False))
    logits_bk = apply(variables, x_nhwc)
    assert logits_bk.shape == (1, 7) and np.ptp(logits_bk) > 0
    np.testing.assert_array_equal(logits_bk, apply(scaling.load_torch(arch, tensors), x_nhwc))


def test_old_and_new_configs_say_the_same(directory):
    new = scaling.from_pretrained(str(directory))
    (directory / CONFIG).write_text(json.dumps(OLD))
    old = scaling.from_pretrained(directory)
    assert (old.arch, old.preprocessing) == (new.arch, new.preprocessing)
    assert_same(old.variables, new.variables)


def test_the_size_for_tests_is_taken_when_asked(directory):
    arch, _, preprocessing, _ = scaling.from_pretrained(directory, test_size=True)
    assert (arch.resolution, preprocessing.side, preprocessing.crop) == (48, 48, 1.0)


def test_what_a_config_leaves_out_is_timms_default(directory):
    (directory / CONFIG).write_text(json.dumps({"architecture": "mnasnet_small", "num_classes": 7}))
    arch, _, preprocessing, _ = scaling.from_pretrained(directory)
    assert arch.resolution == 224 and preprocessing == Preprocessing(224)


def test_channels_of_no_picture_have_no_preprocessing(directory, tensors):
    arch = scaling.get("mnasnet_small").replace(num_classes=7, in_channels=4)
    write_safetensors(directory / WEIGHTS, scaling.to_torch(arch, initialize(scaling.build(arch), seed=0)))
    change(directory, {"model_args": {"in_chans": 4}})
    found = scaling.from_pretrained(directory)
    assert found.arch.in_channels == 4 and found.preprocessing is None


@pytest.mark.representatives(1)
@pytest.mark.parametrize("name", [NAME, f"timm/{NAME}"])
def test_the_hubs_cache_is_read_by_either_name(cache, directory, offline, name):
    found = scaling.from_pretrained(name, num_classes=7, cache_dir=cache)
    assert_same(found.variables, scaling.from_pretrained(directory).variables)
    assert scaling.from_pretrained(name, cache_dir=cache, revision=REVISION).arch == found.arch


@pytest.mark.nightly
def test_the_librarys_own_settings_hold(cache, directory, offline):
    """A process of its own, since the library reads HF_HOME and HF_HUB_OFFLINE when it is imported."""
    program = (
        "import scaling, sys; scaling.save(sys.argv[2], *scaling.from_pretrained(sys.argv[1]));"
        "assert 'huggingface_hub' in sys.modules and 'torch' not in sys.modules"
    )
    settings = {"HF_HOME": str(cache.parent), "HF_HUB_OFFLINE": "1", "JAX_PLATFORMS": "cpu"}
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "HUGGINGFACE_"))}
    copy = directory / "copy.safetensors"
    subprocess.run(
        [sys.executable, "-c", program, NAME, str(copy)], check=True, cwd=REPOSITORY, env={**kept, **settings}
    )
    found, expected = scaling.load(copy), scaling.from_pretrained(directory)
    assert (found.arch, found.preprocessing) == (expected.arch, expected.preprocessing)
    assert_same(found.variables, expected.variables)


def test_what_is_not_cached_says_what_was_tried(cache, offline):
    told = (
        r"timm/resnet18.a1_in1k \(revision main\): no config.json: .*HF_HUB_OFFLINE is set.*local directory"
    )
    with pytest.raises(FileNotFoundError, match=told) as raised:
        scaling.from_pretrained("resnet18.a1_in1k", cache_dir=cache)
    assert str(cache) in str(raised.value)
    with pytest.raises(FileNotFoundError, match="revision other"):
        scaling.from_pretrained(NAME, cache_dir=cache, revision="other")
    with pytest.raises(ValueError, match="'me/no thing' is not a repository's name"):
        scaling.from_pretrained("me/no thing", cache_dir=cache)


def test_a_pickle_is_never_read(cache, directory, offline):
    (directory / WEIGHTS).rename(directory / PICKLE)
    with pytest.raises(ValueError, match="only pytorch_model.bin: .*a pickle.*never read"):
        scaling.from_pretrained(directory)
    snapshot = cache / f"models--timm--{NAME}" / "snapshots" / REVISION
    (snapshot / WEIGHTS).rename(snapshot / PICKLE)
    with pytest.raises(ValueError, match="in the cache, only pytorch_model.bin.*never read"):
        scaling.from_pretrained(NAME, cache_dir=cache)


def test_a_repository_without_safe_weights_is_refused(offline, monkeypatch, directory):
    import huggingface_hub
    from huggingface_hub.errors import EntryNotFoundError

    def download(repository, file, **_):
        if file == CONFIG:
            return str(directory / CONFIG)
        raise EntryNotFoundError(f"404: no {file}")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    with pytest.raises(ValueError, match="me/net has no model.safetensors; a pytorch_model.bin is a pickle"):
        scaling.from_pretrained("me/net")


def test_a_missing_library_names_the_extra(directory, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ImportError, match=r"pip install 'jax-compound\[hub\]'"):
        scaling.from_pretrained("resnet18.a1_in1k")
    assert scaling.from_pretrained(directory).arch.num_classes == 7


@pytest.mark.parametrize(
    "name, error, told",
    [
        ("resnet19.a1_in1k", KeyError, "no model named 'resnet19'; did you mean 'resnet18'"),
        ("timm/resnet19.a1_in1k", KeyError, "did you mean 'resnet18'"),
        ("resnet18", ValueError, "'resnet18' names a network but not its weights: add the tag"),
        ("./nowhere/weights", FileNotFoundError, "'./nowhere/weights' is not a directory"),
        ("/nowhere", FileNotFoundError, "'/nowhere' is not a directory"),
    ],
)
def test_bad_names_are_refused_before_a_download(name, error, told):
    with pytest.raises(error, match=told):
        repository_of(name)


@pytest.mark.parametrize(
    "changes, error, told",
    [
        ({"architecture": "mnasnet_smal"}, KeyError, "did you mean 'mnasnet_small'"),
        ({"architecture": None}, ValueError, "config.json does not describe a network"),
        ({"pretrained_cfg": 3}, ValueError, "config.json does not describe a network"),
        ({"num_classes": 10}, ValueError, r"classifier.weight has shape .* needs \(1280, 10\)"),
        ({"model_args": {"act_layer": "silu"}}, ValueError, "with act_layer, which the zoo's has not"),
        ({"global_pool": "max"}, ValueError, "global_pool='max' must be 'avg'"),
        ({"input_size": [3, 32, 64]}, ValueError, r"must be \[channels, side, side\]"),
        ({"input_size": 224}, ValueError, r"input_size=224 must be \[channels, side, side\]"),
        ({"crop_mode": "tiles"}, ValueError, "crop_mode='tiles' must be one of"),
    ],
)
def test_a_config_that_does_not_fit_is_refused(directory, changes, error, told):
    change(directory, changes)
    with pytest.raises(error, match=told):
        scaling.from_pretrained(directory)


def test_other_classes_than_the_weights_are_refused(directory):
    with pytest.raises(ValueError, match="for 7 classes, not num_classes=10: .*a new classifier"):
        scaling.from_pretrained(directory, num_classes=10)


def test_a_directory_without_weights_is_refused(tmp_path):
    with pytest.raises(ValueError, match="has no config.json and no model.safetensors"):
        scaling.from_pretrained(tmp_path)
