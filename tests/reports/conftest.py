"""A study of two families on disk, with a failed run and a damaged row, made without training."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from scaling.runs.rows import Row, write_row
from scaling.runs.spec import DataSpec, RunSpec
from scaling.sweeps.expand import trials
from scaling.sweeps.run import lost_row

FAMILIES = {"efficientnet_b0": ("efficientnet", 2e6), "cifar_resnet20": ("cifar_resnet", 9e6)}
SWEEP = {"grid": {"model.name": list(FAMILIES), "model.phi": [-2.0, -1.0, 0.0, 1.0]}, "seeds": [0, 1]}
HOSTILE = '</script><script>alert("&")</script>\nlast words'


def finished_row(spec) -> Row:
    """The row that a run could have left: error falls with MACs by a known law, plus noise by seed."""
    family, macs = FAMILIES[spec.model.name]
    noise = np.random.default_rng([spec.seed, round(spec.model.phi) + 5]).standard_normal()
    error = (0.05 + 0.1 * 2.0 ** (-0.5 * spec.model.phi)) * np.exp(0.02 * noise)
    return dataclasses.replace(
        lost_row(spec, "ok", "", 60.0),
        family=family, resolution=32, params=int(macs / 8), macs=int(macs * 2.0**spec.model.phi),
        train_flops=6e5 * macs * 2.0**spec.model.phi, metrics={"val_top1": 1 - error, "test_top1": 1 - error, "test_loss": error},
        step_ms=5.0 * 2.0**spec.model.phi + 0.1 * abs(noise), dataset="cifar10", device_kind="cpu", device_count=1,
        examples={"train": 45000, "test": 10000}, versions={"jax": "0.10.2"}, git_revision="abc123",
    )  # fmt: skip


def write_metrics(run: Path) -> None:
    lines = [
        {"step": s, "epoch": s / 100, "split": "train", "loss": 2 / s, "lr": None} for s in range(1, 501)
    ]
    lines += [{"step": s, "epoch": s / 100, "split": "validation", "top1": 1 - 1 / s} for s in (100, 200)]
    (run / "metrics.jsonl").write_text("\n".join(map(json.dumps, lines)) + '\n{"step": 501, "spl')


@pytest.fixture
def workdir(tmp_path) -> Path:
    """A study that a test may change."""
    return write_study(tmp_path)


@pytest.fixture(scope="module")
def kept_workdir(tmp_path_factory) -> Path:
    """A study that is only read."""
    return write_study(tmp_path_factory.mktemp("kept"))


def write_study(tmp_path: Path) -> Path:
    """Fifteen finished runs, one that failed, one unfinished, one damaged row."""
    made, _ = trials(RunSpec(data=DataSpec(source="tfds", name="cifar10")), SWEEP)
    for i, trial in enumerate(made):
        run = tmp_path / "study" / trial.spec.id
        write_row(
            run / "row.json",
            lost_row(trial.spec, "failed", HOSTILE, 3.0) if i == 3 else finished_row(trial.spec),
        )
        write_metrics(run)
    for name, file, text in (("open", "config.json", "{}"), ("damaged", "row.json", '{"id": ')):
        (tmp_path / "study" / name).mkdir()
        (tmp_path / "study" / name / file).write_text(text)
    return tmp_path / "study"
