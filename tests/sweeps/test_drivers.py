"""Several drivers of one sweep: each trial is run by one of them, and ends as one row, whoever dies."""

import json
import os
import subprocess
import sys
import time
from collections import Counter

import pytest

from scaling.runs import leases, store
from scaling.runs.rows import read_row, write_row
from scaling.runs.spec import RunSpec
from scaling.sweeps.executors import LocalExecutor
from scaling.sweeps.expand import trials
from scaling.sweeps.run import Pool, lost_row, pending, run

# A stand-in for training: it does as its `model.name` says, and ends with who started it, as a trainer does
FAKE = """
import json, os, pathlib, shutil, signal, sys, threading, time
run = pathlib.Path(sys.argv[1])
deed = json.loads((run / "config.json").read_text())["model"]["name"]
parent = os.getppid()
with open(run / "started", "a") as file:
    file.write("x")
if deed == "long" and not (run.parent / "go").exists():
    while os.getppid() == parent and not (run.parent / "go").exists():
        time.sleep(0.02)
    if os.getppid() != parent:
        os._exit(75)
if deed == "poison" or deed == "once" and (run / "started").read_text() == "x":
    os.kill(os.getpid(), signal.SIGKILL)
if deed == "stopped" and (run / "started").read_text() == "x":
    os.kill(os.getpid(), signal.SIGSTOP)
time.sleep(0.05)
shutil.copyfile(run.parent / (run.name + ".json"), run / "row.json")
"""
# The package without what `import scaling` loads beside: JAX takes seconds
DRIVER = """
import pathlib, sys, types
sys.modules["scaling"] = bare = types.ModuleType("scaling")
bare.__path__ = ["scaling"]
sys.path.insert(0, sys.argv[2])
from test_drivers import driven
driven(pathlib.Path(sys.argv[1]))
"""


def command(directory):
    return [sys.executable, "-I", "-S", "-c", FAKE, str(directory)]


def trials_of(deeds):
    """Trials that do as they are called; one that stops itself is soon thought silent."""
    silence = {"stopped": 1.0}
    changes = [
        {"model.name": d, "seed": i, "train.silence": silence.get(d, 600.0)} for i, d in enumerate(deeds)
    ]
    return trials(RunSpec(), changes)[0]


def made_of(deeds, workdir):
    """Trials that do as they are called, each with the row that it is to copy."""
    made = trials_of(deeds)
    for trial in made:
        write_row(workdir / f"{trial.spec.id}.json", lost_row(trial.spec, "ok", "by itself", 0.0))
    return made


def driven(workdir, say=print):
    """Run, as one of several drivers, what stands in the directory; print a line a row."""
    deeds = json.loads((workdir / "deeds.json").read_text())
    made = trials_of(deeds)
    todo = pending(made, store.scan(workdir))
    told = lambda trial, row: print(trial.spec.model.name, row.status, flush=True)
    run(todo, workdir, LocalExecutor(2, 0.2, say), command, told, leases.Leases(5.0, say))


@pytest.fixture
def sweep(tmp_path):
    """Write a directory for these deeds; returns its trials."""

    def prepare(*deeds):
        (tmp_path / "deeds.json").write_text(json.dumps(deeds))
        return made_of(deeds, tmp_path)

    return prepare


@pytest.fixture
def drive(tmp_path):
    """Start a driver of the directory as a process of its own."""
    made = []

    def start():
        words = [sys.executable, "-c", DRIVER, str(tmp_path), os.path.dirname(__file__)]
        made.append(subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
        return made[-1]

    yield start
    for process in made:
        process.kill()
        process.communicate()


def starts(workdir, trial):
    return len((workdir / trial.spec.id / "started").read_text())


def check_whole(made, workdir, status="ok"):
    found = store.scan(workdir)
    assert set(found.rows) == {trial.spec.id for trial in made} and not found.bad and not found.unfinished
    assert {row.status for row in found.rows.values()} == {status}
    assert not list(workdir.glob("*/.lease-*"))


def test_two_drivers_share_the_trials_and_each_hears_of_all(tmp_path, sweep, drive):
    made = sweep(*["good"] * 12)
    both = [drive(), drive()]
    for process in both:
        said, _ = process.communicate(timeout=120)
        assert process.returncode == 0, said
    check_whole(made, tmp_path)
    assert [starts(tmp_path, trial) for trial in made] == [1] * 12


def test_the_trials_of_a_killed_driver_are_taken_over(tmp_path, sweep, drive):
    made = sweep("long", "long", "good", "good")
    first = drive()
    while sum((tmp_path / trial.spec.id / "started").exists() for trial in made) < 2:
        assert first.poll() is None, first.communicate()[0]
        time.sleep(0.02)
    second = drive()
    first.kill()
    first.wait()
    (tmp_path / "go").touch()
    said, _ = second.communicate(timeout=120)
    assert second.returncode == 0, said
    check_whole(made, tmp_path)
    assert [starts(tmp_path, trial) for trial in made[2:]] == [1, 1]
    assert "Traceback" not in said


def executed(made, workdir, say=print):
    heard = []
    executor = LocalExecutor(2, 0.2, say)
    run(made, workdir, executor, command, lambda trial, row: heard.append(row), leases.Leases(5.0, say))
    return Counter(row.status for row in heard)


def test_a_worker_that_is_killed_once_is_tried_again_and_leaves_no_lost_row(tmp_path, sweep):
    made = sweep("once", "good")
    assert executed(made, tmp_path) == {"ok": 2}
    assert starts(tmp_path, made[0]) == 2
    (aside,) = (tmp_path / made[0].spec.id).glob("attempt-*.json")
    assert read_row(aside).status == "lost" and "SIGKILL" in read_row(aside).message


def test_a_poisoned_trial_is_lost_after_three_tries_and_the_others_finish(tmp_path, sweep):
    made = sweep("poison", "good")
    assert executed(made, tmp_path) == {"lost": 1, "ok": 1}
    assert starts(tmp_path, made[0]) == 3
    assert executed(made, tmp_path) == {"lost": 1, "ok": 1}, "asked for again, it has three more"
    assert starts(tmp_path, made[0]) == 6


def test_a_silent_worker_is_reported_then_ended_and_tried_again(tmp_path, sweep):
    made, told = sweep("stopped"), []
    assert executed(made, tmp_path, told.append) == {"ok": 1}
    assert "is silent" in told[0] and "config.train.silence" in told[0]
    assert starts(tmp_path, made[0]) == 2


def test_a_driver_that_lost_its_lease_writes_no_row(tmp_path, sweep):
    (trial,) = sweep("long")
    pool = Pool(tmp_path, LocalExecutor(1, 0.2), command, leases=leases.Leases(600, print))
    pool.submit(trial)
    while not (tmp_path / trial.spec.id / "started").exists():
        pool.poll()
    (lease,) = (tmp_path / trial.spec.id).glob(".lease-*")
    taken = leases._create(tmp_path / trial.spec.id, 2, 600)  # as another driver would
    (tmp_path / "go").touch()
    assert taken is not None and lease.exists()
    while pool._working:
        assert pool.poll() == []
    assert pool.under_way == 1 and taken.is_held
    taken.release()
    while not (found := pool.poll()):
        pass
    assert [row.status for _, row, _ in found] == ["ok"] and starts(tmp_path, trial) == 1
