"""The convert command: there and back gives the same file, a run gives its weights, and misuse is told."""

import json
import re
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

import scaling
from experiments import cli, convert
from scaling.models.initialize import initialize
from scaling.training import checkpoints
from scaling.training.export import NETWORK
from scaling.training.state import TrainState
from scaling.weights.files import read_safetensors, write_safetensors
from scaling.weights.preprocessing import Preprocessing

RECORD = Preprocessing(32, 1.0, "squash", "bilinear")


@pytest.fixture(scope="module")
def arch() -> scaling.Arch:
    return scaling.get("mnasnet_small").replace(num_classes=7)


@pytest.fixture(scope="module")
def variables(arch):
    return initialize(scaling.build(arch), seed=4)


@pytest.fixture
def peer(tmp_path, arch, variables) -> Path:
    write_safetensors(tmp_path / "peer.safetensors", scaling.to_torch(arch, variables))
    return tmp_path / "peer.safetensors"


@pytest.fixture
def finished(tmp_path, arch, variables) -> Path:
    """A run's directory with a checkpoint: raw weights, and averages that are twice as large."""
    workdir = tmp_path / "run"
    workdir.mkdir()
    (workdir / NETWORK).write_text(json.dumps({"arch": arch.to_dict(), "preprocessing": RECORD.to_dict()}))
    doubled = jax.tree.map(lambda x: 2 * x, variables)
    state = TrainState(np.int32(9), variables["params"], variables["batch_stats"], (), doubled)
    checkpoints.save(workdir / "checkpoints", 9, state, {}, keep=1)
    return workdir


def shown(text: str, what: str) -> str:
    found = re.search(rf"^{what}: (.*)$", text, re.MULTILINE)
    assert found, text
    return found[1]


def assert_same(one, two):
    assert one.keys() == two.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], two[name], err_msg=name)


def test_there_and_back_gives_the_peers_tensors(tmp_path, peer, arch, capsys):
    words = [f"--from={peer}", "--model=mnasnet_small", "--num_classes=7"]
    convert.main([*words, f"--to={tmp_path / 'ours.safetensors'}"])
    there = capsys.readouterr().out
    assert scaling.load(tmp_path / "ours.safetensors").arch == arch
    convert.main([f"--from={tmp_path / 'ours.safetensors'}", f"--to={tmp_path / 'again.safetensors'}"])
    assert_same(read_safetensors(tmp_path / "again.safetensors"), read_safetensors(peer))
    back = capsys.readouterr().out
    assert shown(there, "sha256 of the variables") == shown(back, "sha256 of the variables")
    assert (shown(there, "names"), shown(back, "names")) == ("ours", "peer")
    cost = scaling.count(arch)
    assert shown(back, "params") == f"{cost.params:,} and {cost.batch_stats:,} batch statistics"


@pytest.mark.representatives(1)
@pytest.mark.parametrize("which, factor", [("ema", 2), ("raw", 1), (None, 2)])
def test_a_run_gives_its_averages_or_its_raw_weights(
    tmp_path, finished, arch, variables, capsys, which, factor
):
    target = tmp_path / "peer.safetensors"
    convert.main([f"--from={finished}", f"--to={target}", *([f"--weights={which}"] if which else [])])
    expected = scaling.to_torch(arch, jax.tree.map(lambda x: factor * x, variables))
    assert_same(read_safetensors(target), expected)
    assert scaling.load(target).preprocessing == RECORD
    assert shown(capsys.readouterr().out, "checkpoint") == "step 9"


def test_a_directory_of_timms_keeps_its_preprocessing(tmp_path, peer):
    peer.rename(tmp_path / "model.safetensors")
    config = {"architecture": "mnasnet_small", "num_classes": 7, "input_size": [3, 64, 64], "crop_pct": 0.5}
    (tmp_path / "config.json").write_text(json.dumps(config))
    convert.main([f"--from={tmp_path}", f"--to={tmp_path / 'ours.safetensors'}"])
    assert scaling.load(tmp_path / "ours.safetensors").preprocessing == Preprocessing(64, 0.5)


def test_the_digest_tells_any_change(variables):
    changed = jax.tree.map(np.copy, variables)
    assert convert.digest(changed) == convert.digest(variables)
    changed["params"]["classifier"]["bias"][3] += 1e-6
    assert convert.digest(changed) != convert.digest(variables)


@pytest.mark.parametrize(
    "source, options, told",
    [
        ("peer.safetensors", [], "does not state its network"),
        ("peer.safetensors", ["--model=mnasnet_smal"], "did you mean 'mnasnet_small'"),
        ("peer.safetensors", ["--num_classes=7"], "--num_classes=7 has no use here"),
        ("peer.safetensors", ["--model=mnasnet_small", "--weights=ema"], "--weights=ema has no use here"),
        ("run", ["--model=mnasnet_small"], "--model=mnasnet_small has no use here, since .* is a run"),
        ("none.safetensors", [], "none.safetensors is not a file"),
        (".", [], "has no config.json and no model.safetensors"),
    ],
)
def test_misuse_says_what_to_do(tmp_path, peer, finished, source, options, told):
    with pytest.raises((KeyError, ValueError), match=told):
        convert.main([f"--from={tmp_path / source}", f"--to={tmp_path / 'new.safetensors'}", *options])
    assert not (tmp_path / "new.safetensors").exists()


def test_nothing_is_overwritten(tmp_path, peer, variables):
    before = peer.read_bytes()
    with pytest.raises(ValueError, match="exists: delete it, or choose another name"):
        convert.main([f"--from={peer}", "--model=mnasnet_small", f"--to={peer}"])
    for target in ("x.bin", "none/x.safetensors"):
        with pytest.raises(ValueError, match="must be a .safetensors file in a directory that exists"):
            convert.main([f"--from={peer}", "--model=mnasnet_small", f"--to={tmp_path / target}"])
    assert peer.read_bytes() == before


def test_every_misfit_has_a_line_of_its_own(tmp_path, peer, capsys, monkeypatch):
    argv = ["convert", f"--from={peer}", "--model=mnasnet_050", f"--to={tmp_path / 'new.safetensors'}"]
    monkeypatch.setattr(sys, "argv", argv)
    with pytest.raises(SystemExit) as stopped:
        cli.run_command(convert.main)
    lines = capsys.readouterr().err.splitlines()
    assert stopped.value.code == 2 and "tensors do not fit mnasnet_050" in " ".join(lines)
    assert any(line.startswith("  missing blocks.") for line in lines)
    assert any(line.startswith("  classifier.weight has shape") for line in lines)
