"""The executor of one: order, and what becomes of a run that dies."""

import threading

import pytest

from scaling.runs import store
from scaling.runs.spec import RunSpec
from scaling.runs.workdir import LOG
from scaling.sweeps import in_process as module
from scaling.sweeps.expand import trials
from scaling.sweeps.in_process import InProcess, in_process
from scaling.training import Interrupted


def run_all(pool, made):
    for trial in made:
        pool.submit(trial)
    heard = []
    while pool.under_way:
        heard += pool.poll()
    return heard


def test_a_run_that_dies_leaves_a_row_with_its_last_words_and_the_next_goes_on(tmp_path):
    errors = iter([RuntimeError("RESOURCE_EXHAUSTED: out of memory"), ValueError("no such images")])

    def read(spec):
        raise next(errors)

    made, _ = trials(RunSpec(), [{"seed": 0}, {"seed": 1}])
    heard = run_all(in_process(tmp_path, read), made)
    assert [found.trial for found in heard] == made
    assert [found.row.status for found in heard] == ["oom", "failed"]
    assert "no such images" in heard[1].row.message
    assert store.scan(tmp_path).rows == {found.row.id: found.row for found in heard}


def test_an_interrupt_leaves_the_runs_resumable(tmp_path, monkeypatch):
    def interrupt(*_):
        raise Interrupted(2, "stopped")

    monkeypatch.setattr(InProcess, "_prepare", lambda self, job: None)
    monkeypatch.setattr(InProcess, "_run", interrupt)
    pool = in_process(tmp_path)
    made, _ = trials(RunSpec(), [{"seed": 0}, {"seed": 1}])
    with pytest.raises(Interrupted):
        run_all(pool, made)
    pool.cancel()
    assert pool.under_way == 0 and len(store.scan(tmp_path).unfinished) == 2


def test_what_compiles_and_what_trains_is_seen_meanwhile(tmp_path, monkeypatch):
    seen, compiled = [], threading.Event()

    def prepare(self, job):
        compiled.wait(60)
        return type("Runtime", (), {"plan": type("Plan", (), {"spec": made[0].spec})}), 0.0

    def train(spec, workdir, reporter, runtime):
        seen.append("trains")
        reporter.progress(1, 2, "loss 1")
        reporter.progress(2, 2, "loss 1")  # too soon for another look

    monkeypatch.setattr(InProcess, "_prepare", prepare)
    monkeypatch.setattr(module, "run", train)
    made, _ = trials(RunSpec(), [{"seed": 0}])
    pool = in_process(tmp_path, watch=lambda under_way: seen.append([trial for trial, _ in under_way]))
    pool.submit(made[0])
    assert pool.poll() == [] and seen == [made] and (pool.directory(made[0]) / LOG).exists()
    compiled.set()
    while pool.under_way:
        pool.poll()
    assert seen[seen.index("trains") :] == ["trains", made, []]
