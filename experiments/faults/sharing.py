"""Several at one directory: two drivers, a killed one, workers that are killed or stopped, two trainers."""

from __future__ import annotations

import random
import time

from experiments.faults import tiny
from experiments.faults.kind import Kind
from experiments.faults.lab import Lab, finish, is_sentence, wait_until
from experiments.faults.stand_in import check_whole, driver, executed, prepare, starts
from scaling.runs.rows import LOST, OK, read_row


def two_drivers(lab: Lab, rng: random.Random) -> None:
    """Two drivers begin one sweep; each trial is run once."""
    made = prepare(lab.here, ["good"] * rng.randrange(4, 10))
    both = [lab.start(*driver(lab.here, "local")) for _ in range(2)]
    for process in both:
        finish(process)
    check_whole(made, lab.here)
    assert [starts(lab.here, trial) for trial in made] == [1] * len(made)


def killed_driver(lab: Lab, rng: random.Random) -> None:
    """A driver is killed while its trials run; another takes them over."""
    made = prepare(lab.here, ["long", "long", *["good"] * rng.randrange(1, 4)])
    first = lab.start(*driver(lab.here, "local"))
    began = lambda: sum((lab.here / trial.spec.id / "started").exists() for trial in made) == 2
    wait_until(began, first, 0.02)
    second = lab.start(*driver(lab.here, "local"))
    time.sleep(rng.uniform(0.0, 1.0))
    first.kill()
    first.wait()
    (lab.here / "go").touch()
    is_sentence(finish(second))
    check_whole(made, lab.here)
    assert [starts(lab.here, trial) for trial in made[2:]] == [1] * (len(made) - 2)


def killed_worker(lab: Lab, rng: random.Random) -> None:
    """One worker is killed once, another every time: tried again, and lost after three tries."""
    deeds = ["once", "poison", "good", "good"][: rng.randrange(2, 5)]
    rng.shuffle(deeds)
    made = prepare(lab.here, deeds)
    poisoned = deeds.count("poison")
    assert executed(made, lab.here, say=str) == {OK: len(deeds) - poisoned} | ({LOST: 1} if poisoned else {})
    tries = {"once": 2, "poison": 3, "good": 1}
    assert [starts(lab.here, trial) for trial in made] == [tries[deed] for deed in deeds]
    for trial, deed in zip(made, deeds):
        if deed != "good":
            aside = sorted((lab.here / trial.spec.id).glob("attempt-*.json"))
            assert len(aside) == tries[deed] - 1 and all(read_row(path).status == LOST for path in aside)


def stopped_worker(lab: Lab, rng: random.Random) -> None:
    """A worker is stopped; it is reported, then ended, and tried again."""
    told: list[str] = []
    made = prepare(lab.here, ["stopped", *["good"] * rng.randrange(3)])
    assert executed(made, lab.here, say=told.append) == {OK: len(made)}
    assert "is silent" in told[0] and "config.train.silence" in told[0]
    is_sentence(told[0])
    assert starts(lab.here, made[0]) == 2
    check_whole(made, lab.here)


def two_trainers(lab: Lab, rng: random.Random) -> None:
    """Two trainings begin in one directory: one is refused in a sentence, the other ends as if alone."""
    reference, workdir = lab.once(tiny.whole), lab.here / "run"
    both = [tiny.train(lab, workdir)]
    time.sleep(rng.uniform(0.0, 1.0))
    both.append(tiny.train(lab, workdir))
    said = {process.returncode: text for process in both for text in [process.communicate()[0]]}
    if set(said) == {0, 2}:  # else the second came when the first had ended, and found its row
        is_sentence(said[2])
        assert "in use by process" in said[2] and "another --workdir" in said[2]
    assert set(said) <= {0, 2}, said
    tiny.check_equal(workdir, reference)


KINDS = (
    Kind("two drivers of one sweep", "each trial run once, one row each", two_drivers, 5, 1),
    Kind("driver killed", "its trials taken over, one row each", killed_driver, 5, 1),
    Kind("worker killed", "tried again; lost after three tries; others finish", killed_worker, 8, 1),
    Kind("worker stopped", "reported, ended, tried again", stopped_worker, 3),
    Kind("two trainers of one run", "one refused in a sentence; the other bit-equal", two_trainers, 4),
)
