"""Searches that train: candidates are trials of a sweep, and several at a time give one worker's history."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from experiments import search as command
from experiments import sweep
from scaling.runs import store
from scaling.runs.rows import write_row
from scaling.runs.spec import RunSpec
from scaling.runs.workdir import CONFIG, ENVIRONMENT, ROW
from scaling.sweeps import on_ray
from scaling.sweeps.executors import LocalExecutor
from scaling.sweeps.run import Pool, lost_row
from search.core.objectives import maximise
from search.evaluators.training import Training
from search.runs.assemble import Search
from search.runs.history import History, Record, read
from search.runs.outcome import contenders
from search.runs.run import run
from search.runs.workdir import HISTORY, MARK, RUNS
from search.spaces import nasbench201
from search.strategies.catalogue import named

COPY = "import os, pathlib, shutil, sys, time; run = pathlib.Path(sys.argv[1]); "
DEEDS = {
    "last": "[time.sleep(0.02) for _ in iter(lambda: len([*run.parent.glob('*/row.json')]) < 3, False)]; "
    "shutil.copyfile(run / 'prepared', run / 'row.json')",
    "slow": "time.sleep(60)",
    "good": "shutil.copyfile(run / 'prepared', run / 'row.json')",
    "crash": "raise RuntimeError('the deed is done')",
    "exhausted": "sys.exit('RESOURCE_EXHAUSTED: out of memory while compiling')",
    "killed": "os.kill(os.getpid(), 9)",
}


class Fakes:
    """Processes that do what is told of each in the order of their start, in place of training."""

    def __init__(self, *deeds):
        self._deeds, self._deed_of, self.started = iter(deeds), {}, []

    def __call__(self, directory):
        spec = RunSpec.from_config(json.loads((directory / CONFIG).read_text()))
        row = dataclasses.replace(
            lost_row(spec, "ok", "", 2.0), macs=9, metrics={"val_top1": int(spec.id, 16) / 16**12}
        )
        write_row(directory / "prepared", row)
        self.started.append(directory.name)
        if directory.name not in self._deed_of:
            self._deed_of[directory.name] = DEEDS[next(self._deeds)]
        return [sys.executable, "-I", "-S", "-c", COPY + self._deed_of[directory.name], str(directory)]

    def search(self, workdir, strategy, workers=2) -> Search:
        run_spec = RunSpec.from_config({"data": {"source": "digits"}})
        made = lambda runs, read: Pool(runs, LocalExecutor(workers, grace=0.2), self)
        evaluator = Training(nasbench201.SPACE, run_spec, workdir / RUNS, pool_of=made)
        return Search(nasbench201.SPACE, strategy, evaluator, maximise("val_top1"))


def silent(record, seconds):
    del record, seconds


def test_a_slow_candidate_holds_no_other_up_and_lines_are_in_the_order_asked(tmp_path):
    fakes, strategy = Fakes("last", "good", "good", "good"), named("random", nasbench201.SPACE, batch=4)
    done = []

    def note(record, seconds):
        rows = [row for row in tmp_path.glob(f"{RUNS}/*/{ROW}")]
        done.append(len(rows))

    records = run(fakes.search(tmp_path, strategy), 4, 0, History(tmp_path), note)
    assert done[0] == 4  # the first ends after the others, and is the first line
    one_by_one = Fakes("good", "good", "good", "good").search(tmp_path / "1", strategy, workers=1)
    alone = run(one_by_one, 4, 0, History(tmp_path / "1"), silent)
    assert [dataclasses.replace(r, cost=0.0) for r in records] == [
        dataclasses.replace(r, cost=0.0) for r in alone
    ]
    assert all(record.cost >= 2.0 for record in records)


def test_a_candidate_that_dies_is_a_record_and_not_the_end(tmp_path):
    fakes = Fakes("good", "crash", "exhausted", "killed", "good")
    search = fakes.search(tmp_path, named("random", nasbench201.SPACE, batch=5))
    records = run(search, 5, 0, History(tmp_path), silent)
    assert [record.status for record in records] == ["ok", "failed", "oom", "lost", "ok"]
    assert "the deed is done" in records[1].message and "RESOURCE_EXHAUSTED" in records[2].message
    assert all(record.rewards == (None,) and not record.metrics for record in records[1:4])
    assert records[4].metrics["macs"] == 9 and read(tmp_path) == records


def test_a_candidate_that_has_its_row_is_not_trained_again(tmp_path):
    """As after a kill between the row and the first line of the history."""
    fakes, strategy = Fakes("good", "crash", "good", "good"), named("random", nasbench201.SPACE, batch=2)
    records = run(fakes.search(tmp_path, strategy), 4, 0, History(tmp_path), silent)
    for name in (HISTORY, MARK):
        (tmp_path / name).unlink()
    again = run(fakes.search(tmp_path, strategy), 4, 0, History(tmp_path), silent)
    assert len(fakes.started) == 4
    assert [(r.point, r.status, r.rewards, r.metrics) for r in again] == [
        (r.point, r.status, r.rewards, r.metrics) for r in records
    ]


def test_what_stops_a_search_leaves_no_process(tmp_path):
    fakes = Fakes("good", "slow", "slow")
    search = fakes.search(tmp_path, named("random", nasbench201.SPACE, batch=3))

    def stop(record, seconds):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(search, 3, 0, History(tmp_path), stop)
    assert search.evaluator._pool.under_way == 0
    found = store.scan(tmp_path / RUNS)
    assert len(found.rows) == 1 and found.unfinished  # the third was perhaps not begun


@pytest.mark.parametrize("known", [0, 3, 9])
def test_the_best_so_far_is_of_the_whole_history_and_of_rewards_that_compare(known):
    """Rung 0 has the highest rewards, and the best of all was found before the search was resumed."""
    rungs, rewards = [0, 0, 1, 0, 1, 1, 0, 0, 1, 1, 0, 1], [9, None, 3, 8, 2, 1, 9, 9, None, 2, 7, 4]
    place = {"point": (0,), "name": "0", "network": "0", "cached": False}
    records = [
        Record(index=i, rung=rung, rewards=(reward,), **place)
        for i, (rung, reward) in enumerate(zip(rungs, rewards))
    ]
    lines = []
    show = command._line(len(records), True, lines.append, records[:known])
    for i, record in enumerate(records[known:], start=known + 1):
        show(record, 0.0)
        assert f"  best {max(contender.reward for contender in contenders(records[:i])):.5g}  " in lines[-1]


def test_latency_is_not_measured_beside_other_candidates(tmp_path, training):
    config = {**training, "evaluator": {"settings": {"latency_batch": 1}}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="leave one of the two out"):
        command.main([f"--config={tmp_path / 'config.json'}", f"--workdir={tmp_path / 'out'}", "--workers=2"])


@pytest.mark.nightly
def test_candidates_and_the_last_trainings_go_to_the_engine_that_is_named(tmp_path, training, monkeypatch):
    made = []

    class Engine(LocalExecutor):
        def __init__(self, workers, address):
            made.append((workers, address))
            super().__init__(workers, grace=0.2)

    monkeypatch.setattr(on_ray, "RayExecutor", Engine)
    monkeypatch.setattr(sweep, "train_command", fakes := Fakes(*["good"] * 4))
    config = tmp_path / "config.json"
    config.write_text(json.dumps({**training, "final": {"seeds": [0]}}))
    words = [f"--config={config}", f"--workdir={tmp_path / 'out'}", "--engine=ray", "--address=here:1"]
    assert command.main(words) == 0
    assert made == [(1, "here:1")] * 2 and len(fakes.started) == 4


def line(workdir, workers):
    return [f"--config={workdir.parent / 'config.json'}", f"--workdir={workdir}", f"--workers={workers}"]


def start(workdir, workers) -> subprocess.Popen:
    words = [sys.executable, "-m", "experiments.search", *line(workdir, workers)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def wait_until(process, condition) -> None:
    while not condition():
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.05)


def kill(process) -> None:
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()


def wait_for_orphans(workdir) -> None:
    """Candidates that were left behind save what they have, and end."""
    while any(store.is_locked(run) for run in workdir.glob(f"{RUNS}/*")):
        time.sleep(0.05)


def finished(workdir) -> dict:
    return {path: json.loads(path.read_text())["finished"] for path in workdir.glob(f"{RUNS}/*/{ROW}")}


def values(workdir) -> list:
    """The lines without times."""
    times = ("step_ms", "compile_seconds", "seconds")
    kept = []
    for record in read(workdir):
        metrics = {name: value for name, value in record.metrics.items() if name not in times}
        kept.append(dataclasses.replace(record, metrics=metrics, cost=0.0))
    return kept


def finish(workdir, workers) -> None:
    process = start(workdir, workers)
    told, _ = process.communicate(timeout=600)
    assert process.returncode == 0, told


@pytest.mark.nightly
def test_a_search_killed_while_it_trains_ends_like_one_that_was_not(tmp_path, training):
    """It has two workers that train when it is killed; the other has one, in this process."""
    (tmp_path / "config.json").write_text(json.dumps(training))
    several, alone = tmp_path / "several", tmp_path / "alone"

    killed = start(several, workers=2)
    wait_until(killed, lambda: len(list(several.glob(f"{RUNS}/*/{ENVIRONMENT}"))) == 2)  # both train
    kill(killed)
    wait_for_orphans(several)
    assert not (several / HISTORY).exists()
    finish(several, workers=2)
    assert len(finished(several)) == 3
    assert not list(several.glob(f"{RUNS}/*/attempt-*"))

    command.main(line(alone, workers=1))
    assert values(several) == values(alone)
    assert not any("test" in metric for record in read(alone) for metric in record.metrics)
    check_what_is_written(several)


@pytest.mark.nightly
def test_a_search_killed_between_two_lines_goes_on_after_them(tmp_path, training):
    (tmp_path / "config.json").write_text(json.dumps(training))
    parts, whole = tmp_path / "parts", tmp_path / "whole"
    killed = start(parts, workers=1)
    wait_until(killed, lambda: (parts / HISTORY).exists() and (parts / HISTORY).read_text().count("\n"))
    kill(killed)
    before = (parts / HISTORY).read_text()
    assert 1 <= before.count("\n") < 3
    finish(parts, workers=1)
    assert (parts / HISTORY).read_text().startswith(before)
    command.main(line(whole, workers=1))
    assert values(parts) == values(whole)


def check_what_is_written(workdir) -> None:
    genotype = json.loads((workdir / "best" / "genotype.json").read_text())
    best = max(read(workdir), key=lambda record: record.reward)
    assert tuple(genotype["point"]) == best.point
    config = json.loads((workdir / "best" / "train_config.json").read_text())
    assert config["model"]["arch"] == genotype["arch"] and config["data"]["test"] == "test"
    rows = [json.loads(path.read_text()) for path in workdir.glob(f"{RUNS}/*/{ROW}")]
    assert rows and not any(name.startswith("test_") for row in rows for name in row["metrics"])
