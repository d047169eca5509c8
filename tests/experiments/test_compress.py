"""The command prunes through the one training loop and writes a small file that loads."""

import json

import numpy as np
import pytest

import scaling
from experiments import compress
from scaling.runs.spec import RunSpec
from scaling.training.export import trained
from scaling.training.loop import run
from scaling.training.progress import Silent
from scaling.weights.pruning import density_of


@pytest.fixture(scope="module")
def spec():
    return RunSpec.from_config(
        {
            "model": {"name": "lenet5"},
            "data": {"limit": 128},
            "optimizer": {"lr": 0.05, "lr_batch": 0},
            "train": {"batch": 64, "duration": "4 steps", "devices": 1},
        }
    )


@pytest.mark.nightly
def test_pruned_weights_stay_0_while_fine_tuning_and_the_file_is_small(spec, tmp_path, capsys):
    run(spec, tmp_path / "run", Silent())
    out = tmp_path / "out"
    words = ["--density=0.1", "--rounds=2", "--duration=3 steps", "--bits=5"]
    compress.main([f"--run={tmp_path / 'run'}", f"--out={out}", *words])
    cut, tuned = scaling.load(out / "round_2.safetensors").variables, trained(out / "round_2")[0].variables
    for name in ("hidden_0", "hidden_1", "classifier"):
        before, after = (np.asarray(tree["params"][name]["kernel"]) for tree in (cut, tuned))
        np.testing.assert_array_equal(after[before == 0], 0)
        assert np.any(after != before)
    found = json.loads((out / "compression.json").read_text())
    assert found["density"] == pytest.approx(0.1, abs=0.005) == density_of(tuned)
    assert found["bytes"]["plain"] > 8 * found["bytes"]["compressed"]
    assert (out / "compressed.safetensors").stat().st_size == found["bytes"]["compressed"]
    assert "times smaller" in capsys.readouterr().out == (out / "compression.md").read_text()


def test_zeros_are_held_for_given_weights_only(spec):
    with pytest.raises(ValueError, match="keep_zeros is for pruned weights"):
        spec.revised({"optimizer.keep_zeros": True})
