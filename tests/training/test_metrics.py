"""The journal holds each step once, whatever happened; TensorBoard reads its events."""

import json

from scaling.training.metrics import Journal


def lines(directory):
    return [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]


def test_a_resumed_journal_is_cut_back_to_its_checkpoint(tmp_path):
    journal = Journal(tmp_path, 0, 0)
    journal.write(10, 1.0, "train", {"loss": 2.0})
    size = journal.size
    journal.write(20, 2.0, "train", {"loss": 1.0})
    journal.close()
    with open(tmp_path / "metrics.jsonl", "a") as file:
        file.write('{"step": 30, "ep')  # a killed write
    resumed = Journal(tmp_path, 10, size)
    resumed.write(20, 2.0, "train", {"loss": 1.5})
    resumed.close()
    assert [(line["step"], line["loss"]) for line in lines(tmp_path)] == [(10, 2.0), (20, 1.5)]


def test_lines_are_json_also_where_a_loss_is_not_finite(tmp_path):
    journal = Journal(tmp_path, 0, 0)
    journal.write(1, 0.1, "train", {"loss": float("nan"), "top1": 0.5})
    journal.close()
    assert lines(tmp_path) == [{"step": 1, "epoch": 0.1, "split": "train", "loss": None, "top1": 0.5}]


def test_processes_without_a_directory_write_nothing(tmp_path):
    journal = Journal(None, 0, 0)
    journal.write(1, 0.1, "train", {"loss": 1.0})
    journal.close()
    assert journal.size == 0 and not list(tmp_path.iterdir())


def test_tensorboard_reads_the_events(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    journal = Journal(tmp_path, 0, 0)
    for step in (1, 2):
        journal.write(step, 0.1, "validation", {"top1": step / 4})
    journal.close()
    events = EventAccumulator(str(tmp_path / "events"))
    events.Reload()
    assert [(e.step, e.value) for e in events.Scalars("validation/top1")] == [(1, 0.25), (2, 0.5)]
