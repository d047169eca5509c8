"""Every trial ends as exactly one row, whatever its process does, and never disturbs another's."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from scaling.runs import store
from scaling.runs.rows import write_row
from scaling.runs.spec import RunSpec
from scaling.runs.workdir import CONFIG
from scaling.sweeps.executors import LocalExecutor, share_cores, share_environment
from scaling.sweeps.expand import trials
from scaling.sweeps.run import last_error, lost_row, pending, run
from scaling.sweeps.worker import Job

# A stand-in for training: it reads what to do from `model.name` and copies a prepared row.
FAKE = """
import json, os, pathlib, shutil, signal, sys, time
run = pathlib.Path(sys.argv[1])
deed = json.loads((run / "config.json").read_text())["model"]["name"]
with open(run / "started", "a") as file:
    file.write("x")
print("hello from", deed, flush=True)
if deed == "crash":
    raise RuntimeError("the deed is done")
if deed == "oom":
    sys.exit("RESOURCE_EXHAUSTED: Out of memory allocating 1 bytes.")
if deed == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
if deed == "hang":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(60)
if deed == "slow":
    time.sleep(60)
if deed == "damaged":
    (run / "row.json").write_text("{")
if deed not in ("silent", "damaged"):
    shutil.copyfile(run.parent / (run.name + ".json"), run / "row.json")
"""


def command(directory):
    return [sys.executable, "-I", "-S", "-c", FAKE, str(directory)]


def fake_trials(workdir, *deeds):
    """Trials that do as they are called, each with the row that it is to copy."""
    made, _ = trials(RunSpec(), [{"model.name": deed, "seed": i} for i, deed in enumerate(deeds)])
    workdir.mkdir(exist_ok=True)
    for trial in made:
        write_row(workdir / f"{trial.spec.id}.json", lost_row(trial.spec, "ok", "by itself", 0.0))
    return made


def run_all(made, workdir, workers=2, grace=0.2, **options):
    """Run what is pending and return [(name, status)] as reported."""
    return run_each(pending(made, store.scan(workdir), **options), workdir, workers, grace, **options)


def run_each(todo, workdir, workers=2, grace=0.2, **options):
    """Run what was pending once, and return [(name, row)] as reported."""
    heard = []
    told = lambda trial, row: heard.append((trial.spec.model.name, row))
    run(todo, workdir, LocalExecutor(workers, grace), command, told, **options)
    return heard


def starts(workdir, trial):
    return len((workdir / trial.spec.id / "started").read_text())


def test_every_trial_ends_as_one_row_and_the_others_finish(tmp_path):
    deeds = ("good", "crash", "killed", "oom", "silent", "damaged", "better")
    made = fake_trials(tmp_path, *deeds)
    heard = run_all(made, tmp_path)
    statuses = {name: row.status for name, row in heard}
    assert len(heard) == len(deeds)
    assert statuses == {
        "good": "ok", "crash": "failed", "killed": "lost", "oom": "oom",
        "silent": "failed", "damaged": "failed", "better": "ok",
    }  # fmt: skip
    found = store.scan(tmp_path)
    assert found.rows == {row.id: row for _, row in heard}
    assert not found.bad and not found.unfinished


def test_a_dead_process_leaves_its_last_words(tmp_path):
    (crashed,) = fake_trials(tmp_path, "crash")
    ((_, row),) = run_all([crashed], tmp_path)
    assert "exit code 1" in row.message and "RuntimeError: the deed is done" in row.message
    assert row.id == crashed.spec.id and row.spec == crashed.spec and row.seconds > 0


def test_rerun_skips_the_finished_and_retries_the_failed_when_asked(tmp_path):
    made = fake_trials(tmp_path, "good", "crash")
    run_all(made, tmp_path)
    assert run_all(made, tmp_path) == []
    assert [name for name, _ in run_all(made, tmp_path, retry=True)] == ["crash"]
    assert [starts(tmp_path, trial) for trial in made] == [1, 2]
    assert (tmp_path / made[1].spec.id / "attempt-1.json").exists()


@pytest.mark.parametrize("retry", [False, True])
def test_what_another_driver_finished_since_is_run_again_only_when_asked(tmp_path, retry):
    made = fake_trials(tmp_path, "crash")
    todo = pending(made, store.scan(tmp_path))
    run_all(made, tmp_path)  # by another driver, while this one is getting ready
    ((name, row),) = run_each(todo, tmp_path, retry=retry)
    assert (name, row.status, starts(tmp_path, made[0])) == ("crash", "failed", 1 + retry)


def test_a_trial_over_its_time_is_ended_even_where_it_resists(tmp_path):
    executor = LocalExecutor(workers=2, grace=0.2)
    made = fake_trials(tmp_path, "hang", "good")
    for trial in made:
        directory = tmp_path / trial.spec.id
        directory.mkdir()
        (directory / CONFIG).write_text(json.dumps(trial.spec.to_dict()))
        executor.submit(Job(trial.spec.id, directory, tuple(command(directory)), timeout=1.0))
    ended = {}
    while len(ended) < 2:
        ended |= {e.job.id: e for e in executor.poll(1.0)}
    hung, good = (ended[trial.spec.id] for trial in made)
    assert hung.timed_out and hung.code == -signal.SIGKILL and hung.seconds < 10
    assert not good.timed_out and good.code == 0


@pytest.fixture
def interruptible():
    """Interrupts raise KeyboardInterrupt, also where a shell started the tests in its background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_interrupting_leaves_no_process_and_every_open_run_resumable(tmp_path, interruptible):
    made = fake_trials(tmp_path, "good", "slow", "slow")
    executor = LocalExecutor(workers=2, grace=20.0)
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run(made, tmp_path, executor, command, lambda trial, row: os.kill(os.getpid(), signal.SIGINT))
    assert time.monotonic() - began < 20
    assert executor.poll(0.1) == []
    found = store.scan(tmp_path)
    assert list(found.rows) == [made[0].spec.id]
    assert set(found.unfinished) == {made[1].spec.id}  # the third was not begun
    assert pending(made, found) == made[1:]


@pytest.mark.parametrize("cores", [[0], [0, 1], [3, 4, 5, 8, 9]])
@pytest.mark.parametrize("workers", [1, 2, 3, 8])
def test_workers_share_all_cores_and_none_goes_without(cores, workers):
    parts = [share_cores(cores, slot, workers) for slot in range(workers)]
    assert all(parts) and set().union(*parts) == set(cores)
    if workers <= len(cores):
        assert sum(map(len, parts)) == len(cores)


def test_workers_get_devices_of_their_own_or_a_part_of_one():
    own = [share_environment({}, slot, 2, ["0", "1", "2"])["CUDA_VISIBLE_DEVICES"] for slot in range(2)]
    assert own == ["0,2", "1"]
    shared = [share_environment({}, slot, 3, ["0"]) for slot in range(3)]
    assert sum(float(part["XLA_PYTHON_CLIENT_MEM_FRACTION"]) for part in shared) <= 1
    assert share_environment({}, 0, 1, ["0", "1"]) == {}
    assert "OMP_NUM_THREADS" not in share_environment({"OMP_NUM_THREADS": "1"}, 0, 2, [])


@pytest.mark.nightly
def test_a_trial_is_as_nice_as_its_sweep(tmp_path):
    """Where Linux weighs sessions and not processes, too: a trial has a session of its own."""
    own = "/proc/self/autogroup"
    if not os.path.exists(own):
        pytest.skip("this system does not group tasks by sessions")
    code = f"print(open({own!r}).read())"
    starter = (
        "import os, sys, pathlib; from scaling.sweeps.executors import Job, LocalExecutor; os.nice(7); "
        f"executor = LocalExecutor(1); executor.submit(Job('one', pathlib.Path(sys.argv[1]), (sys.executable, '-c', "
        f"'import time; time.sleep(0.5); ' + {code!r}), 0.0)); executor.poll(60.0)"
    )
    subprocess.run([sys.executable, "-c", starter, str(tmp_path)], check=True, timeout=120)
    assert f"nice {min(os.nice(0) + 7, 19)}" in (tmp_path / "log.txt").read_text()


ERRORS = {
    "": "",
    "some words\nthe last": "the last",
    "noise\nerror: data.dir='x' does not exist: give\nthe image folder.\n": "data.dir='x' does not exist: give the image folder.",
    "Traceback (most recent call last):\n  File x\njaxlib.errors.JaxError: bad shape\n-----\nFor simplicity, JAX": (
        "jaxlib.errors.JaxError: bad shape"
    ),
}


@pytest.mark.parametrize("log", ERRORS, ids=range(len(ERRORS)))
def test_a_log_s_last_error_is_found(log):
    assert last_error(log) == ERRORS[log]
