"""What a run leaves behind: a row, a directory that can be resumed, and nothing of another's."""

import dataclasses
import json
import os
import signal
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from scaling.data import loader
from scaling.runs import store
from scaling.runs.estimate import Estimate, keep
from scaling.runs.rows import read_row
from scaling.training import Interrupted, checkpoints, environment, loop, run
from scaling.training.interrupts import Requests
from scaling.training.metrics import Ledger
from scaling.training.plan import make_plan
from scaling.training.progress import Silent
from scaling.training.runtime import Runtime

FINAL = 12


def last_state(workdir, spec):
    """The state of a run's newest checkpoint."""
    like = Runtime(make_plan(spec)).first_state()
    state, meta = checkpoints.restore(workdir / "checkpoints", like)
    return state, meta["step"]


def lines(workdir):
    found = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    return [line for line in found if line["split"] != "train"]


@pytest.fixture
def stop_at(monkeypatch):
    """Return a function that makes the next run get SIGTERM's number after a step, once."""

    def arrange(step):
        after, due = loop._after, [step]

        def signalled(current, state, call):
            if due == [current.steps]:
                due.clear()
                current.requests.signum = signal.SIGTERM
            after(current, state, call)

        monkeypatch.setattr(loop, "_after", signalled)

    return arrange


def test_a_run_leaves_a_row_that_says_what_it_did(make_spec, tmp_path):
    spec = make_spec()
    keep(Estimate(3.0, 2**30), tmp_path)
    row = run(spec, tmp_path, Silent())
    assert row == read_row(tmp_path / "row.json")
    assert (row.estimated_seconds, row.estimated_memory) == (3.0, 2**30)
    assert (row.status, row.id, row.steps, row.examples_seen) == ("ok", spec.id, FINAL, FINAL * 64)
    assert row.train_flops == 6 * row.macs * row.examples_seen
    assert row.spec == spec
    assert row.to_dict()["spec"] == spec.to_dict() == json.loads((tmp_path / "config.json").read_text())
    assert row.examples["train"] == 256 and row.examples["test"] > 0
    measured = {"test_top1", "test_top1_ema", "val_top1", "val_top5", "val_loss"}
    assert measured <= row.metrics.keys() and None not in (row.train_loss, row.step_ms)
    assert 0 < row.metrics["test_top1"] <= row.metrics["test_top5"] <= 1 and 0 <= row.data_wait <= 1
    assert row.compile_seconds > 0 and row.seconds > row.compile_seconds and row.peak_memory > 2**20
    assert [line["step"] for line in lines(tmp_path)] == [8, FINAL, FINAL]
    env = json.loads((tmp_path / "env.json").read_text())
    assert env["versions"]["jax"] == jax.__version__ == row.versions["jax"]


def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(make_spec, tmp_path, stop_at, assert_equal):
    spec = make_spec({"augment.crop": "pad", "augment.pad": 1})
    whole = run(spec, tmp_path / "whole", Silent())
    stop_at(5)
    with pytest.raises(Interrupted) as stopped:
        run(spec, tmp_path / "parts", Silent())
    assert stopped.value.exit_code == 128 + 15
    assert last_state(tmp_path / "parts", spec)[1] == 5
    assert not (tmp_path / "parts" / "row.json").exists()
    parts = run(spec, tmp_path / "parts", Silent())
    assert_equal(last_state(tmp_path / "whole", spec), last_state(tmp_path / "parts", spec))
    assert lines(tmp_path / "whole") == lines(tmp_path / "parts")
    for name in ("metrics", "train_loss", "examples_seen", "train_flops"):
        assert getattr(whole, name) == getattr(parts, name), name
    assert parts.seconds > 0


@pytest.mark.parametrize("stop, last_tells", [(2, True), (10, False)])
def test_a_row_measures_all_attempts(make_spec, tmp_path, stop_at, monkeypatch, stop, last_tells):
    spec = make_spec()
    stop_at(stop)
    with pytest.raises(Interrupted):
        run(spec, tmp_path, Silent())
    _, first = checkpoints.restore(tmp_path / "checkpoints")
    monkeypatch.setattr(environment, "peak_memory", lambda devices: 1)
    row = run(spec, tmp_path, Silent())
    assert row.peak_memory == first["peak_memory"] > 1
    assert row.seconds > row.compile_seconds > first["compile_seconds"] > 0
    for name in ("step_ms", "images_per_second"):
        assert (getattr(row, name) != first[name]) == last_tells, name


@pytest.mark.nightly
def test_a_run_falls_back_from_a_damaged_checkpoint(make_spec, tmp_path, stop_at, assert_equal):
    spec = make_spec()
    stop_at(10)
    with pytest.raises(Interrupted):
        run(spec, tmp_path, Silent())
    damaged = max(
        (tmp_path / "checkpoints" / "00000010" / "state").rglob("*"), key=lambda p: p.stat().st_size
    )
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"\0")
    with pytest.warns(UserWarning, match="step 10 .* damaged"):
        row = run(spec, tmp_path, Silent())
    assert row.status == "ok" and row.steps == FINAL
    assert [line["step"] for line in lines(tmp_path)] == [8, FINAL, FINAL]


def test_data_that_lost_images_between_attempts_is_refused(make_spec, tmp_path, stop_at, monkeypatch):
    spec = make_spec()
    stop_at(5)
    with pytest.raises(Interrupted):
        run(spec, tmp_path, Silent())
    data = make_plan(spec).dataset
    fewer = dataclasses.replace(data, train=data.train.take(np.arange(len(data.train) - 1)))
    monkeypatch.setattr(loop, "make_plan", lambda spec: make_plan(spec, fewer))
    with pytest.raises(
        ValueError, match=r"was trained on data of fingerprint .*255 training images.*put the data"
    ):
        run(spec, tmp_path, Silent())
    monkeypatch.setattr(loop, "make_plan", lambda spec: make_plan(spec, data))
    assert run(spec, tmp_path, Silent()).status == "ok"


def test_a_directory_that_another_process_holds_is_refused_and_left_alone(make_spec, tmp_path):
    with store.lock(tmp_path):
        with pytest.raises(ValueError, match=rf"in use by process {os.getpid()}.*another --workdir"):
            run(make_spec(), tmp_path, Silent())
        assert [path.name for path in tmp_path.iterdir()] == [".lock"]
    run(make_spec({"train.duration": "1 steps"}), tmp_path, Silent())
    with store.lock(tmp_path):
        pass  # a run that has ended holds nothing


def test_a_finished_run_is_not_run_again(make_spec, tmp_path, monkeypatch):
    spec = make_spec({"train.duration": "1 steps"})
    row = run(spec, tmp_path, Silent())
    monkeypatch.setattr(loop, "make_plan", None)
    assert run(spec, tmp_path, Silent()) == row


def test_a_damaged_row_says_what_to_do_and_that_gives_the_row_again(make_spec, tmp_path):
    spec, path = make_spec(), tmp_path / "row.json"
    row = run(spec, tmp_path, Silent())
    path.write_text(path.read_text()[:-9])
    with pytest.raises(
        ValueError, match=r"row\.json is not a readable row.*: delete it, and the run goes on"
    ):
        run(spec, tmp_path, Silent())
    path.unlink()
    again = run(spec, tmp_path, Silent())
    assert (again.status, again.steps, again.metrics) == (row.status, row.steps, row.metrics)
    assert lines(tmp_path)[-1]["step"] == FINAL


def test_a_directory_of_another_run_is_refused_and_left_alone(make_spec, tmp_path):
    run(make_spec({"train.duration": "1 steps"}), tmp_path, Silent())
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(
        ValueError, match=r"belongs to run .* config\.seed \(0 there, 1 here\).*another --workdir"
    ):
        run(make_spec({"seed": 1}), tmp_path, Silent())
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


@pytest.mark.nightly
def test_how_a_run_is_executed_may_change_between_attempts(make_spec, tmp_path, stop_at):
    stop_at(5)
    with pytest.raises(Interrupted):
        run(make_spec(), tmp_path, Silent())
    changed = {"train.devices": 2, "train.engine": "jit", "train.eval_batch": 7}
    assert run(make_spec(changed), tmp_path, Silent()).status == "ok"


def test_a_diverging_run_gets_status_nan_and_keeps_its_last_good_checkpoint(make_spec, tmp_path):
    spec = make_spec(
        {"optimizer.lr": 1e30, "schedule.warmup": "5 steps", "train.checkpoint_every": "1 steps"}
    )
    row = run(spec, tmp_path, Silent())
    assert row.status == "nan" and row.metrics.get("test_top1") is None and "not finite" in row.message
    assert "NaN" not in (tmp_path / "row.json").read_text()
    state, step = last_state(tmp_path, spec)
    assert 1 <= step < row.steps
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(state))
    assert run(spec, tmp_path, Silent()) == row


@pytest.mark.nightly
def test_a_timeout_saves_and_a_longer_one_goes_on(make_spec, tmp_path):
    row = run(make_spec({"train.timeout": 1e-9}), tmp_path, Silent())
    assert (row.status, row.steps) == ("timeout", 1)
    assert run(make_spec({"train.timeout": 0.0}), tmp_path, Silent()).status == "ok"


def test_too_little_memory_is_a_row_too(make_spec, tmp_path, monkeypatch):
    def full(self, call, metrics):
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: out of memory allocating 1 byte")

    monkeypatch.setattr(Ledger, "push", full)
    row = run(make_spec(), tmp_path, Silent())
    assert row.status == "oom" and row.message.startswith("RESOURCE_EXHAUSTED")


@pytest.mark.nightly
def test_progressive_resolution_counts_its_own_flops(make_spec, tmp_path):
    spec = make_spec({"train.progressive": [[0.0, 0.5], [0.5, 1.0]], "train.duration": "4 steps"})
    row = run(spec, tmp_path, Silent())
    plan = make_plan(spec)
    assert [(phase.start, phase.resolution) for phase in plan.phases] == [(0, 4), (2, 8)]
    small, full = (phase.macs for phase in plan.phases)
    assert small < full == 3 * row.macs
    assert row.train_flops == 2 * 64 * 2 * (small + full)


def test_each_phase_may_drop_and_distort_by_its_own(make_spec):
    train = {"train.progressive": [[0.0, 1.0], [0.5, 1.0]], "train.progressive_drop_rate": [0.1, 0.5]}
    plan = make_plan(make_spec({**train, "train.progressive_magnitude": [2.0, 9.0]}))
    assert [(phase.drop_rate, phase.magnitude) for phase in plan.phases] == [(0.1, 2.0), (0.5, 9.0)]
    runtime = Runtime(plan)
    first, second = (runtime.program(phase) for phase in plan.phases)
    assert first is runtime.program(plan.phases[0]) and first is not second
    with pytest.raises(ValueError, match=r"progressive_drop_rate=\(0\.1,\) has 1 values for the 2 entries"):
        make_plan(make_spec({**train, "train.progressive_drop_rate": [0.1]}))


@pytest.mark.parametrize("per_call", [1, 3, 5])
def test_calls_cover_the_steps_and_stop_at_every_boundary(make_spec, per_call):
    plan = make_plan(make_spec({"train.steps_per_call": per_call, "train.eval_every": "5 steps"}))
    calls = list(plan.calls(0))
    assert [i for call in calls for i in range(call.start, call.stop)] == list(range(FINAL))
    assert {4, 5, 8, 10, FINAL} <= {call.stop for call in calls}
    for n, call in enumerate(calls):
        assert list(plan.calls(call.stop)) == calls[n + 1 :], "a resumed run makes the same calls"


@pytest.mark.parametrize("per_call", [1, 3, 5])
def test_processes_agree_on_a_stop_in_every_stretch_between_logs(make_spec, monkeypatch, per_call):
    changes = {"train.steps_per_call": per_call, "train.log_every": "4 steps", "train.duration": "20 steps"}
    plan, agreed = make_plan(make_spec({**changes, "train.checkpoint_every": "5 epochs"})), []
    attempt = SimpleNamespace(plan=plan, steps=0, started=0.0, requests=Requests())
    attempt.requests.agreed = lambda number: agreed.append(attempt.steps) or number
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    for call in plan.calls(0):
        attempt.steps = call.stop
        loop._stop_reason(attempt, call)
    assert all(any(log <= step < log + per_call for step in agreed) for log in range(4, 21, 4))
    assert len(agreed) <= 5


@pytest.mark.parametrize("budget, resident", [(0, None), (0, True), (2**31, None), (2**31, False)])
def test_on_an_accelerator_only_calls_that_carry_no_images_have_several_steps(
    make_spec, monkeypatch, budget, resident
):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    monkeypatch.setattr(loader, "MEMORY_BUDGET", budget)
    runtime = Runtime(make_plan(make_spec({"data.resident": resident})))
    assert (runtime.plan.steps_per_call > 1) == bool(runtime.feed.resident)
    assert bool(runtime.feed.resident) == (resident or (resident is None and budget > 0))


def test_a_batch_that_devices_cannot_share_is_refused_before_anything_is_written(make_spec, tmp_path):
    spec = make_spec({"train.batch": 50, "train.devices": 4})
    with pytest.raises(ValueError, match=r"batch=50 is not a multiple of 4 .*make it 48 or 52"):
        run(spec, tmp_path / "new", Silent())
    assert not (tmp_path / "new").exists()


def test_more_devices_than_there_are_is_refused(make_spec):
    with pytest.raises(ValueError, match=r"devices=64 cannot be had: 1 process\(es\) see 4"):
        make_plan(make_spec({"train.devices": 64}))


def test_the_test_split_is_read_once_at_the_end(make_spec, tmp_path, monkeypatch):
    reads = []
    plan_of = loop.make_plan

    def watched(spec):
        plan = plan_of(spec)
        test = plan.dataset.test

        def read():
            reads.append(checkpoints.saved_steps(tmp_path / "checkpoints")[-1])
            return test()

        object.__setattr__(plan.dataset, "test", read)
        return plan

    monkeypatch.setattr(loop, "make_plan", watched)
    run(make_spec(), tmp_path, Silent())
    assert reads == [FINAL]
