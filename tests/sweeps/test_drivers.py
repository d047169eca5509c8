"""Every executor, and several drivers of one sweep: each trial ends as one row, whoever dies."""

import os
import subprocess
import sys
import time

import pytest

from experiments.faults import stand_in
from experiments.faults.stand_in import LEASE, check_whole, command, driver, executed, executor_of, starts
from scaling.runs import leases, store
from scaling.runs.rows import read_row
from scaling.sweeps.executors import LocalExecutor
from scaling.sweeps.on_ray import RayExecutor
from scaling.sweeps.run import Pool, pending, run
from scaling.sweeps.worker import Resources


@pytest.fixture(params=["local", pytest.param("ray", marks=pytest.mark.nightly)])
def engine(request):
    """The name of an executor; of Ray, with a cluster that lasts for the module."""
    return request.getfixturevalue("on_ray") if request.param == "ray" else request.param


@pytest.fixture(scope="module")
def on_ray():
    """A cluster of this machine for all tests and the processes that they start; "ray:HOST:PORT"."""
    ray = pytest.importorskip("ray", reason="Ray is the extra `cluster`, which is not installed")
    ray.init(num_cpus=4, include_dashboard=False, _node_ip_address="127.0.0.1", log_to_driver=False)
    yield f"ray:{ray.get_runtime_context().gcs_address}"
    ray.shutdown()


@pytest.fixture
def sweep(tmp_path):
    """Write a directory for these deeds; returns its trials."""

    def prepare(*deeds):
        return stand_in.prepare(tmp_path, deeds)

    return prepare


@pytest.fixture
def drive(tmp_path, engine):
    """Start a driver of the directory as a process of its own."""
    made = []

    def start():
        words = [sys.executable, *driver(tmp_path, engine)]
        made.append(subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
        return made[-1]

    yield start
    for process in made:
        process.kill()
        process.communicate()


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


def test_a_worker_that_is_killed_once_is_tried_again_and_leaves_no_lost_row(tmp_path, sweep, engine):
    made = sweep("once", "good")
    assert executed(made, tmp_path, engine) == {"ok": 2}
    assert starts(tmp_path, made[0]) == 2
    (aside,) = (tmp_path / made[0].spec.id).glob("attempt-*.json")
    assert read_row(aside).status == "lost" and "SIGKILL" in read_row(aside).message


def test_a_poisoned_trial_is_lost_after_three_tries_and_the_others_finish(tmp_path, sweep, engine):
    made = sweep("poison", "good")
    assert executed(made, tmp_path, engine) == {"lost": 1, "ok": 1}
    assert starts(tmp_path, made[0]) == 3
    assert executed(made, tmp_path, engine) == {"lost": 1, "ok": 1}, "asked for again, it has three more"
    assert starts(tmp_path, made[0]) == 6


def test_a_silent_worker_is_reported_then_ended_and_tried_again(tmp_path, sweep, engine):
    made, told = sweep("stopped"), []
    assert executed(made, tmp_path, engine, told.append) == {"ok": 1}
    if engine == "local":  # a node tells its own log
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


def test_what_interrupts_a_driver_leaves_its_trials_resumable(tmp_path, sweep, engine):
    made = sweep("good", "long", "long")

    def stop(trial, row):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(made, tmp_path, executor_of(engine), command, stop, leases=leases.Leases(LEASE, print))
    assert list(store.scan(tmp_path).rows) == [made[0].spec.id]
    assert not list(tmp_path.glob("*/.lease-*"))
    (tmp_path / "go").touch()
    assert executed(pending(made, store.scan(tmp_path)), tmp_path, engine) == {"ok": 2}
    check_whole(made, tmp_path)


@pytest.mark.nightly
def test_a_trial_whose_watcher_on_a_node_is_killed_is_tried_again(tmp_path, sweep, on_ray):
    """With it goes what the driver knows of the process, which ends itself."""
    (trial,) = sweep("long")
    pool = Pool(tmp_path, executor_of(on_ray), command, leases=leases.Leases(LEASE, print))
    pool.submit(trial)
    while not (tmp_path / trial.spec.id / "parent").exists():
        pool.poll()
    os.kill(int((tmp_path / trial.spec.id / "parent").read_text()), 9)
    while starts(tmp_path, trial) < 2:
        assert not pool.poll()
    (tmp_path / "go").touch()
    while not (found := pool.poll()):
        pass
    assert [row.status for _, row, _ in found] == ["ok"]
    check_whole([trial], tmp_path)


@pytest.mark.nightly
def test_a_job_that_no_node_can_hold_is_told(tmp_path, on_ray):
    told = []
    executor_of(on_ray, told.append)._check_possible(Resources(cpus=1000))
    assert "1000 processors" in told[0] and "config.train.cpus" in told[0]


def test_without_ray_the_engine_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ValueError, match=r"jax-compound\[cluster\]"):
        RayExecutor(1)
