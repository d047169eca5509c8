"""Streaming ahead of the step: order kept, everything ended, errors told, whoever decodes."""

import itertools
import multiprocessing
import os
import signal
import threading
import time

import numpy as np
import pytest

from scaling.data import load
from scaling.data.loader import feed
from scaling.data.prefetch import ahead
from scaling.runs.spec import AugmentSpec, DataSpec


def stream(path, workers=0):
    split = load(
        DataSpec(source="folder", dir=str(path), test="val", resident=False), AugmentSpec(), 20
    ).train
    return feed(split, 8, 0, None, workers)


def settled(condition, seconds=10.0):
    """Whether the condition comes true within the time."""
    stop = time.monotonic() + seconds
    while not condition() and time.monotonic() < stop:
        time.sleep(0.02)
    return condition()


@pytest.mark.parametrize("depth", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 7])
def test_running_ahead_changes_nothing(depth, count):
    assert list(ahead((n for n in range(count)), depth)) == list(range(count))


def test_items_are_made_while_the_last_one_is_used_and_no_more_than_asked():
    made = []
    items = ahead((made.append(n) or n for n in itertools.count()), 3)
    assert [next(items) for _ in range(3)] == [0, 1, 2]
    assert settled(lambda: made == list(range(6)))
    time.sleep(0.05)
    assert len(made) == 6
    items.close()


def test_an_error_comes_in_its_items_place():
    def items():
        yield 1
        yield 2
        raise ValueError("the third")

    found = ahead(items(), 4)
    assert [next(found), next(found)] == [1, 2]
    with pytest.raises(ValueError, match="the third"):
        next(found)
    assert list(found) == []


@pytest.mark.parametrize("end", ["close", "drop", "error"])
def test_an_early_end_closes_the_source_and_leaves_no_thread(end):
    closed, before = [], set(threading.enumerate())

    def items():
        try:
            yield from itertools.count()
        finally:
            closed.append(True)

    found = ahead(items(), 2)
    next(found)
    if end == "close":
        found.close()
    elif end == "error":
        with pytest.raises(KeyError):
            found.throw(KeyError)
    del found
    assert closed == [True] and set(threading.enumerate()) <= before


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.nightly)])
def test_streamed_batches_ahead_equal_those_taken_one_by_one(folder, workers):
    plain, early = stream(folder).batches(1), ahead(stream(folder, workers).batches(1), 2)
    for one, other in itertools.islice(zip(plain, early), 6):
        assert one.keys() == other.keys()
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])
    plain.close()
    early.close()


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.nightly)])
def test_a_stream_closed_early_leaves_no_thread_and_no_process(folder, workers):
    known = lambda: {t for t in threading.enumerate() if t.name.startswith(("grain-prefetch", "ahead"))}
    before = known()
    batches = ahead(stream(folder, workers).batches(0), 2)
    next(batches)
    assert len(multiprocessing.active_children()) == workers
    batches.close()
    assert settled(lambda: known() <= before)
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=pytest.mark.nightly)])
def test_damage_met_in_the_middle_stops_the_stream_by_name(packing, tmp_path, workers):
    whole = packing.photo(1, "PNG")
    files = packing.photo_files()
    source = stream(packing.write_folder(tmp_path, files), workers)
    victim = source.split.describe(int(source.order.step(2)["index"][3]))
    with open(victim, "wb") as file:
        file.write(whole[:60] + bytes(40) + whole[100:])
    batches = ahead(source.batches(0), 2)
    assert [len(next(batches)["label"]) for _ in range(2)] == [8, 8]
    with pytest.raises(ValueError, match=f"{victim} cannot be decoded.*resident=True"):
        next(batches)
    assert multiprocessing.active_children() == []


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals")
def test_a_killed_worker_is_an_error_not_a_hang(folder):
    batches = ahead(stream(folder, 1).batches(0), 2)
    next(batches)
    os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)
    with pytest.raises(RuntimeError, match=r"data.workers=1 ended early.*exit code -9.*fewer"):
        for _ in range(50):
            next(batches)
    assert multiprocessing.active_children() == []
