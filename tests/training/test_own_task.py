"""The task that the guide writes down trains: one file and a line are enough."""

import re
from pathlib import Path

import numpy as np
import pytest

from scaling import tasks
from scaling.arch.map_heads import UNet
from scaling.reports.curve import scored
from scaling.runs.spec import RunSpec
from scaling.training.loop import run

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "architecture.md"


@pytest.mark.nightly
def test_the_guides_task_learns_the_depth_of_a_slope(tmp_path, tiny_arch, monkeypatch):
    code = re.search(r"^```python file=depth.py\n(.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL)[1]
    assert len([line for line in code.splitlines() if line.strip()]) <= 60
    names: dict = {}
    exec(compile(code, "depth.py", "exec"), names)  # noqa: S102 - our own text
    monkeypatch.setitem(tasks.TASKS, "depth", names["DEPTH"])
    arrays, random = {}, np.random.default_rng(0)
    for split, count in (("train", 32), ("test", 8)):
        near = random.integers(5, 30, (count, 1, 1)) + np.arange(8)[:, None] * np.ones(8, int)
        arrays[f"{split}_image"] = (7 * near).astype(np.uint8)
        arrays[f"{split}_mask"] = near.astype(np.uint8)
    np.savez(tmp_path / "set.npz", **arrays)
    arch = tiny_arch.replace(head=UNet(widths=(8,), convs=1), drop_rate=0.0)
    spec = RunSpec.from_config(
        {
            "task": "depth",
            "model": {"arch": arch.to_dict()},
            "data": {"source": "npz", "dir": str(tmp_path / "set.npz"), "validation_fraction": 0.25},
            "augment": {"flip": True},
            "optimizer": {"name": "adamw", "lr": 0.05, "lr_batch": 0},
            "train": {
                "batch": 24,
                "duration": "60 epochs",
                "eval_every": "60 epochs",
                "devices": 1,
                "pictures": False,
            },
        }
    )
    row = run(spec, tmp_path / "run")
    assert row.status == "ok" and row.metrics["test_near"] > 0.5
    assert "test within 25 %" in scored(row)
