"""The training that faults are tried on: some 500 parameters on handwritten digits, for seconds."""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path
from typing import Any

import jax
import numpy as np

from experiments.faults.lab import Lab, finish
from experiments.faults.nursery import Command
from scaling.arch.arch import Arch, Head, Stage
from scaling.arch.blocks import Conv
from scaling.border.lines import unseal
from scaling.runs.rows import Row, read_row
from scaling.runs.spec import RunSpec
from scaling.runs.workdir import CHECKPOINTS, METRICS, ROW
from scaling.training import checkpoints, run
from scaling.training.plan import make_plan
from scaling.training.progress import Silent
from scaling.training.runtime import Runtime

ARCH = Arch(
    name="tiny",
    family="faults",
    stem=(Stage(Conv(), 4, stride=2),),
    stages=(Stage(Conv(skip=True), 4, repeats=3),),
    head=Head(),
    resolution=8,
    drop_rate=0.1,
)
STEPS = 40
CONFIG: dict[str, Any] = {
    "model": {"arch": ARCH.to_dict()},
    "data": {"limit": 256},
    "optimizer": {"lr": 0.5, "weight_decay": 1e-4},
    "train": {
        "batch": 16,
        "duration": f"{STEPS} steps",
        "ema": 0.9,
        "eval_every": "15 steps",
        "checkpoint_every": "2 steps",
        "log_every": "3 steps",
        "devices": 1,
        "pictures": False,
    },
}
SHORT = {"train.duration": "12 steps", "train.eval_every": "6 steps", "train.keep": 3}


def config(changes: dict[str, Any] | None = None) -> dict[str, Any]:
    """The config of the tiny run, with {"section.key": value} changed."""
    made = copy.deepcopy(CONFIG)
    for path, value in (changes or {}).items():
        section, _, key = path.partition(".")
        if key:
            made.setdefault(section, {})[key] = value
        else:
            made[section] = value
    return made


def given(directory: Path, changes: dict[str, Any] | None = None) -> str:
    """Write the config of the tiny run for a command; return its argument."""
    path = directory / "given.json"
    path.write_text(json.dumps(config(changes)))
    return f"--config={path}"


def train(lab: Lab, workdir: Path, changes: dict[str, Any] | None = None) -> Command:
    """Start the command on the tiny run."""
    return lab.command("train", given(workdir.parent, changes), f"--workdir={workdir}")


def whole(lab: Lab, directory: Path) -> Path:
    """A run of the command that nothing happened to."""
    finish(train(lab, directory / "run"))
    return directory / "run"


class Here:
    """The short run in this process, its programs compiled once, and a directory of it that is finished."""

    def __init__(self, lab: Lab, directory: Path):
        self.spec = RunSpec.from_config(config(SHORT))
        self.runtime = Runtime(make_plan(self.spec))
        self.finished = directory / "run"
        self.row = self.train(self.finished)

    def train(self, workdir: Path, reporter: Silent | None = None) -> Row:
        """Train, or go on training, in a directory."""
        return run(self.spec, workdir, reporter or Silent(), self.runtime)

    def unfinished(self, workdir: Path) -> Path:
        """A directory as a kill leaves it: no row, the last checkpoint not made, the journal beyond it."""
        shutil.copytree(self.finished, workdir, symlinks=True)
        (workdir / ROW).unlink()
        shutil.rmtree(workdir / CHECKPOINTS / "00000012")
        return workdir


class Told(Silent):
    """A reporter that keeps the lines it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def line(self, text: str) -> None:
        self.lines.append(text)


def newest(workdir: Path) -> int:
    """The step of the newest checkpoint of a run; 0 where there is none."""
    return max(checkpoints.saved_steps(workdir / CHECKPOINTS), default=0)


def saves(workdir: Path) -> bool:
    """Whether a checkpoint is being written."""
    return any((workdir / CHECKPOINTS).glob(".[0-9]*"))


def check_equal(workdir: Path, reference: Path, lines: bool = True) -> None:
    """Check that a run ended as another did, bit by bit: its last state, scores, and `lines` of journal."""
    (ours, _), (theirs, _) = (_last(directory) for directory in (workdir, reference))
    assert jax.tree.structure(ours) == jax.tree.structure(theirs), "the states differ in their parts"
    for one, other in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs)):
        np.testing.assert_array_equal(one, other)
    row, told = read_row(workdir / ROW), read_row(reference / ROW)
    assert row.status == told.status == "ok", f"{row.status}: {row.message}"
    for name in ("metrics", "train_loss", "steps", "examples_seen"):
        assert getattr(row, name) == getattr(told, name), f"{name} of the rows differ"
    if lines:
        assert journal(workdir) == journal(reference), "the lines of the journals differ"


def _last(workdir: Path) -> Any:
    found = checkpoints.restore(workdir / CHECKPOINTS, repair=False)
    assert found is not None, f"{workdir} holds no checkpoint"
    return found


def journal(workdir: Path) -> list[dict[str, Any]]:
    """The lines of a run's journal."""
    return [unseal(line) for line in (workdir / METRICS).read_text().splitlines()]
