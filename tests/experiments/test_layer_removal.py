"""The command scores a trained network without each of its blocks."""

import csv

import pytest
from PIL import Image

from experiments import layer_removal
from scaling.runs.spec import RunSpec
from scaling.training.loop import run
from scaling.training.progress import Silent


@pytest.mark.nightly
def test_a_row_and_a_point_for_the_whole_and_for_each_block_less(tmp_path, capsys):
    model = {"name": "cifar_plain20", "base_width": 0.25, "base_depth": 0.5, "base_resolution": 8}
    train = {"batch": 64, "duration": "2 steps", "devices": 1}
    run(RunSpec.from_config({"model": model, "data": {"limit": 128}, "train": train}), tmp_path, Silent())
    layer_removal.main([f"--run={tmp_path}"])
    rows = list(csv.DictReader((tmp_path / "removal" / "removal.csv").open()))
    assert [row["block"] for row in rows] == ["", "0.0", "0.1", "0.2", "1.1", "1.2", "2.1", "2.2"]
    for row in rows:
        low, error, high = (float(row[name]) for name in ("low", "error", "high"))
        assert 0 <= low <= error <= high <= 1 and low < high
    with Image.open(tmp_path / "removal" / "removal.png") as drawn:
        assert drawn.size[0] > 400
    assert "whole" in capsys.readouterr().out
