"""The journal holds each step once, whatever happened; metrics wait on the devices until a log is due."""

import random
import threading
import time

import numpy as np
import pytest

from scaling.border.lines import unseal
from scaling.training import metrics, plan
from scaling.training.clock import Clock
from scaling.training.metrics import Journal, Ledger, Mark, NonFinite
from scaling.training.plan import Call
from scaling.training.progress import Silent


def lines(directory):
    return [unseal(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]


def test_a_resumed_journal_is_cut_back_to_its_checkpoint(tmp_path):
    journal = Journal(tmp_path, 0, Mark())
    journal.write(10, 1.0, "train", {"loss": 2.0})
    mark = journal.mark
    journal.write(20, 2.0, "train", {"loss": 1.0})
    journal.close()
    with open(tmp_path / "metrics.jsonl", "a") as file:
        file.write('{"step": 30, "ep')  # a killed write
    resumed = Journal(tmp_path, 10, mark)
    resumed.write(20, 2.0, "train", {"loss": 1.5})
    resumed.close()
    assert [(line["step"], line["loss"]) for line in lines(tmp_path)] == [(10, 2.0), (20, 1.5)]


def damaged(data: bytes, rng: random.Random) -> bytes:
    """One flipped bit, a cut, a lost line, or nothing left."""
    kind, lines = rng.randrange(4), data.splitlines(keepends=True)
    if kind == 0:
        at = rng.randrange(len(data))
        return data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :]
    lost = rng.randrange(len(lines))
    return [data[: rng.randrange(len(data))], b"".join(lines[:lost] + lines[lost + 1 :]), b""][kind - 1]


@pytest.mark.parametrize("seed", range(40))
def test_damage_before_the_checkpoint_is_told_and_none_of_it_is_believed(tmp_path, seed):
    journal = Journal(tmp_path, 0, Mark())
    for step in range(8):
        journal.write(step, 0.1, "train", {"loss": step / 7})
    mark, path = journal.mark, tmp_path / "metrics.jsonl"
    journal.close()
    written, whole = lines(tmp_path), path.read_bytes()
    path.write_bytes(damaged(whole, random.Random(seed)))
    resumed = Journal(tmp_path, 8, mark)
    resumed.close()
    assert len(resumed.problems) == 1 and "sound lines of it are kept" in resumed.problems[0]
    kept = lines(tmp_path)
    assert len(kept) < 8 and all(line in written for line in kept)


def test_a_journal_from_before_checksums_goes_on(tmp_path):
    old = b'{"step": 1, "epoch": 0.1, "split": "train", "loss": 2.0}\n'
    (tmp_path / "metrics.jsonl").write_bytes(old)
    journal = Journal(tmp_path, 1, Mark(len(old)))
    journal.write(2, 0.2, "train", {"loss": 1.0})
    journal.close()
    assert not journal.problems and [line["loss"] for line in lines(tmp_path)] == [2.0, 1.0]


def test_lines_are_json_also_where_a_loss_is_not_finite(tmp_path):
    journal = Journal(tmp_path, 0, Mark())
    journal.write(1, 0.1, "train", {"loss": float("nan"), "top1": 0.5})
    journal.close()
    assert lines(tmp_path) == [{"step": 1, "epoch": 0.1, "split": "train", "loss": None, "top1": 0.5}]


def test_processes_without_a_directory_write_nothing(tmp_path):
    journal = Journal(None, 0, Mark())
    journal.write(1, 0.1, "train", {"loss": 1.0})
    journal.close()
    assert journal.mark.size == 0 and not list(tmp_path.iterdir())


def test_tensorboard_reads_the_events(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    journal = Journal(tmp_path, 0, Mark())
    for step in (1, 2):
        journal.write(step, 0.1, "validation", {"top1": step / 4})
    journal.close()
    events = EventAccumulator(str(tmp_path / "events"))
    events.Reload()
    assert [(e.step, e.value) for e in events.Scalars("validation/top1")] == [(1, 0.25), (2, 0.5)]


class Host:
    """Stands in for the devices: metrics that say when they were fetched."""

    def __init__(self, directory, plan, bad=()):
        self.fetched, self.bad, self.clock = [], bad, Clock()
        self.journal = Journal(directory, 0, Mark())
        self.ledger = Ledger(plan, self.fetch, self.journal, Silent(), self.clock)

    def fetch(self, metrics):
        self.fetched.append(metrics["call"])
        return metrics["host"]

    def push(self, call):
        with self.clock.taking():
            pass
        steps = np.arange(call.start + 1, call.stop + 1)
        good = np.float32(~np.isin(steps, self.bad))
        host = {"loss": np.float32(steps), "top1": good, "lr": good, "finite": good}
        self.ledger.push(call, {"call": call.stop, "host": host})


@pytest.fixture
def make_plan(make_spec):
    return lambda changes: plan.make_plan(make_spec(changes))


def test_metrics_stay_on_the_devices_until_a_log_is_due(make_plan, tmp_path):
    host = Host(tmp_path, made := make_plan({"train.duration": "12 steps", "train.log_every": "5 steps"}))
    fetches = []
    for call in made.calls(0):
        host.push(call)
        fetches.append(len(host.fetched))
    host.ledger.settle()
    assert set(fetches) == {0, 5} and host.fetched == list(range(1, 13))
    assert [(line["step"], line["loss"]) for line in lines(tmp_path)] == [(5, 3.0), (10, 8.0), (12, 11.5)]


@pytest.mark.parametrize("per_call", [1, 4])
@pytest.mark.parametrize("bad", [1, 3, 5, 6, 12])
def test_a_value_that_is_not_finite_stops_at_its_own_step(make_plan, tmp_path, per_call, bad):
    changes = {"train.log_every": "5 steps", "train.steps_per_call": per_call}
    host = Host(tmp_path, made := make_plan(changes), bad=[bad, bad + 1])
    with pytest.raises(NonFinite) as found:
        for call in made.calls(0):
            host.push(call)
        host.ledger.settle()
    assert found.value.step == bad
    assert lines(tmp_path)[-1]["step"] == bad


def test_the_host_runs_ahead_by_a_few_calls_only(make_plan, tmp_path, monkeypatch):
    gates = [threading.Event() for _ in range(9)]
    monkeypatch.setattr(metrics, "_finish_time", lambda m: gates[m["call"] - 1].wait(60) and 0.0)
    host = Host(tmp_path, make_plan({}))
    pushed = []

    def go():
        for i in range(9):
            host.push(Call(i, 1, 8))
            pushed.append(i)

    pusher = threading.Thread(target=go)
    pusher.start()
    for done in range(9 - metrics.IN_FLIGHT):
        while len(pushed) < metrics.IN_FLIGHT + done:
            time.sleep(0.001)
        time.sleep(0.02)
        assert len(pushed) == metrics.IN_FLIGHT + done
        gates[done].set()
    for gate in gates:
        gate.set()
    pusher.join()
    host.ledger.close()


def test_metrics_held_are_bounded_where_logs_are_rare(make_plan, tmp_path, monkeypatch):
    monkeypatch.setattr(metrics, "HELD", 4)
    host = Host(tmp_path, made := make_plan({"train.log_every": "1000 steps"}))
    for call in made.calls(0):
        host.push(call)
    host.ledger.settle()
    assert host.fetched == list(range(1, 13))
    assert [(line["step"], line["loss"]) for line in lines(tmp_path)] == [(12, 6.5)]
