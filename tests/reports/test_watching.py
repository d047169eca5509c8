"""What a terminal shows of running trials: their state by their own files, below the lines that stay."""

import io
import re

import pytest

from scaling.border.lines import seal
from scaling.reports.watching import Board, Watcher
from scaling.runs.spec import RunSpec
from scaling.runs.workdir import LOG, METRICS, NETWORK
from scaling.sweeps.expand import Trial


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self):
        self.now = 0.0  # so that every file is from after the start

    def __call__(self):
        return self.now


@pytest.fixture
def watched(tmp_path, monkeypatch):
    """A clock, and a function that looks and returns what the board shows."""
    monkeypatch.setenv("COLUMNS", "200")
    stream, clock = io.StringIO(), Clock()
    watcher = Watcher(Board(stream), clock)
    trial = Trial({"seed": 3}, RunSpec.from_config({"train": {"duration": "10 epochs"}}))

    def look():
        stream.seek(0)
        stream.truncate()
        watcher([(trial, tmp_path)])
        return re.sub("\x1b.*?[AJ]|\r", "", stream.getvalue())

    return clock, look


def write(directory, *lines):
    with (directory / METRICS).open("a") as file:
        file.writelines(seal(line) + "\n" for line in lines)


def test_a_trial_is_followed_from_its_start_to_its_validation(watched, tmp_path):
    clock, look = watched
    assert look() == ""
    (tmp_path / LOG).touch()
    assert "  starting  seed=3" in look()
    (tmp_path / NETWORK).touch()
    assert "  compiling  seed=3" in look()
    write(tmp_path, {"step": 20, "epoch": 1.0, "split": "train", "loss": 0.5, "lr": 0.1})
    assert "  step 20/200  loss 0.5  seed=3" in look()
    clock.now += 30.0
    write(tmp_path, {"step": 40, "epoch": 2.0, "split": "train", "loss": None, "lr": 0.1})
    write(tmp_path, {"step": 40, "epoch": 2.0, "split": "validation", "loss": 1.0, "top1": 0.25})
    assert "  step 40/200  values that are not finite  validation top1 0.25  4 min 0 s left" in look()
    clock.now += 10.0
    assert "3 min 50 s left" in look()


def test_a_half_written_line_and_an_earlier_attempt_are_not_believed(watched, tmp_path):
    _, look = watched
    (tmp_path / LOG).touch()
    write(tmp_path, {"step": 20, "epoch": 1.0, "split": "train", "loss": 0.5})
    with (tmp_path / METRICS).open("a") as file:
        file.write('{"step": 9999, "epo')
    assert "step 20/200" in look()
    later, stream = Clock(), io.StringIO()
    later.now = 1e12
    watcher = Watcher(Board(stream), later)
    watcher([(Trial({}, RunSpec()), tmp_path)])
    assert stream.getvalue() == ""


def test_lines_that_stay_are_above_the_live_ones_and_nothing_is_drawn_twice():
    stream = io.StringIO()
    board = Board(stream)
    board.show(["one", "x" * 1000])
    assert max(map(len, stream.getvalue().splitlines())) < 1000
    drawn = stream.getvalue()
    board.show(["one", "x" * 1000])
    assert stream.getvalue() == drawn
    board.say("finished")
    assert re.search("\x1b\\[2A\x1b\\[Jfinished\none\nx", stream.getvalue())
    board.show([])
    assert stream.getvalue().endswith("\x1b[2A\x1b[J")
