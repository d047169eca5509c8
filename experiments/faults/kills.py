"""SIGKILL at random moments: of trainings, in saves too, and of searches that train."""

from __future__ import annotations

import dataclasses
import functools
import json
import random
import signal
import time
from pathlib import Path

from experiments.faults import tiny
from experiments.faults.kind import Kind
from experiments.faults.lab import Lab, finish, wait_until
from experiments.faults.nursery import Command
from scaling.runs import store
from scaling.runs.workdir import CHECKPOINTS, ENVIRONMENT
from search.runs.history import Record, read
from search.runs.workdir import HISTORY, RUNS

SEARCH = {
    "evaluations": 3,
    "strategy": {"name": "lstm_ppo", "settings": {"batch": 2}},
    "run": {
        "model": {"base_width": 0.25, "base_depth": 0.2, "base_resolution": 8},
        "data": {"source": "digits", "limit": 256},
        "optimizer": {"name": "adamw", "lr": 0.003},
        "train": {
            "batch": 64,
            "devices": 1,
            "duration": "6 steps",
            "eval_every": "0 steps",
            "checkpoint_every": "2 steps",
        },
    },
}
LATEST = tiny.STEPS - 6  # the step after which a training may end before it is killed
MEASURED = ("step_ms", "compile_seconds", "seconds")  # of a record: times, which differ


def kill(process: Command) -> None:
    """SIGKILL a process that lives."""
    process.kill()
    process.wait()
    assert process.returncode == -signal.SIGKILL, "it had ended before it was killed"


def training(lab: Lab, rng: random.Random) -> None:
    """Kill a training five times, on the way to its first checkpoint, in saves, and in between."""
    workdir, reference = lab.here / "run", lab.once(tiny.whole)
    for _ in range(5):
        process, begun = tiny.train(lab, workdir), tiny.newest(workdir)
        if rng.random() < 0.2:
            _wait(rng.uniform(0.0, 6.0), workdir)  # it starts, or has just gone on
        else:
            goal = min(begun + rng.randrange(1, 9), LATEST)
            wait_until(functools.partial(_is_past, workdir, goal), process, 0.001)
            if rng.random() < 0.6:
                wait_until(functools.partial(tiny.saves, workdir), process, 0.0005)
            time.sleep(rng.uniform(0.0, 0.03))
        kill(process)
        assert not (workdir / "row.json").exists()
    finish(tiny.train(lab, workdir))
    tiny.check_equal(workdir, reference)


def _wait(seconds: float, workdir: Path) -> None:
    """Wait so long, but on a fast machine not until a training is about to end."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and tiny.newest(workdir) < LATEST:
        time.sleep(0.001)


def _is_past(workdir: Path, step: int) -> bool:
    return tiny.newest(workdir) >= step


def search(lab: Lab, workdir: Path, workers: int) -> Command:
    """Start the command of the tiny search."""
    path = workdir.parent / "search.json"
    path.write_text(json.dumps(SEARCH))
    return lab.command("search", f"--config={path}", f"--workdir={workdir}", f"--workers={workers}")


def whole_search(lab: Lab, directory: Path) -> Path:
    """A search of the command that nothing happened to."""
    finish(search(lab, directory / "search", 1))
    return directory / "search"


def searching(lab: Lab, rng: random.Random) -> None:
    """Kill a search twice, while candidates train, or after a line of its history."""
    workdir, reference = lab.here / "search", lab.once(whole_search)
    workers = rng.choice((1, 1, 2))
    for first in (True, False):
        process = search(lab, workdir, workers)
        after = rng.choice((_trains, _saves)) if first else _has_line
        wait_until(functools.partial(after, workdir), process, 0.001)
        time.sleep(rng.uniform(0.0, 0.05))
        kill(process)
        _wait_for_orphans(workdir)
    finish(search(lab, workdir, workers))
    assert values(workdir) == values(reference), "the lines of the histories differ"
    assert len(list(workdir.glob(f"{RUNS}/*/row.json"))) == 3 and not list(
        workdir.glob(f"{RUNS}/*/attempt-*")
    )


def _trains(workdir: Path) -> bool:
    return any(workdir.glob(f"{RUNS}/*/{ENVIRONMENT}"))


def _saves(workdir: Path) -> bool:
    return any(workdir.glob(f"{RUNS}/*/{CHECKPOINTS}/.[0-9]*")) or _has_line(workdir)


def _has_line(workdir: Path) -> bool:
    return (workdir / HISTORY).exists() and (workdir / HISTORY).read_text().count("\n") > 0


def _wait_for_orphans(workdir: Path) -> None:
    """Candidates that were left behind save what they have, and end."""
    until = time.monotonic() + 60.0
    while any(store.is_locked(run) for run in workdir.glob(f"{RUNS}/*")):
        assert time.monotonic() < until, "candidates outlive their search"
        time.sleep(0.05)


def values(workdir: Path) -> list[Record]:
    """The lines without times."""
    kept = []
    for record in read(workdir):
        metrics = {name: value for name, value in record.metrics.items() if name not in MEASURED}
        kept.append(dataclasses.replace(record, metrics=metrics, cost=0.0))
    return kept


KINDS = (
    Kind("training killed", "state, scores and journal equal, bit by bit", training, 50, 5, each=5),
    Kind(
        "search killed", "every line equal but for times, each candidate trained once", searching, 10, each=2
    ),
)
