"""Who loses a peer says so once and ends; who finishes, or is merely slow, is not thought lost."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time

import jax
import pytest

from scaling.training import interrupts, peers
from scaling.training.peers import DONE, Peers


@pytest.fixture
def two(tmp_path):
    """Two processes' views of one run, in this process; silence is soon."""
    both = [Peers(tmp_path, index, 2, silent=0.3) for index in range(2)]
    for one in both:
        one.beat()
    return both


def lost_within(one, seconds):
    """Whom it misses, if anybody, in so long a time."""
    until = time.monotonic() + seconds
    while (index := one.lost()) is None and time.monotonic() < until:
        time.sleep(0.02)
    return index


def test_peers_that_beat_are_well(two):
    until = time.monotonic() + 0.8
    while time.monotonic() < until:
        for one in two:
            one.beat()
        assert [one.lost() for one in two] == [None, None]
        time.sleep(0.02)


def test_a_silent_peer_is_lost_and_one_that_is_done_is_not(two):
    assert lost_within(two[0], 5.0) == 1
    two[1].beat(DONE)
    assert lost_within(two[0], 0.6) is None


def test_a_peer_that_left_or_whose_process_ended_is_lost_at_once(two, tmp_path):
    two[1].leave()
    assert two[0].lost() == 1
    own = [sys.executable, "-c", "import os; print(os.getpid())"]
    ended = subprocess.run(own, check=True, capture_output=True, text=True)
    two[1].beat()
    path = tmp_path / ".peer-1"
    path.write_text(json.dumps({**json.loads(path.read_text()), "pid": int(ended.stdout)}))
    two[0]._silent = 600.0
    assert two[0].lost() == 1


def test_the_sentence_says_who_and_from_where_it_goes_on(two, tmp_path):
    assert two[0].tell(1) == "process 1 of 2 is gone; the same command goes on from step 0"
    (tmp_path / "checkpoints" / "00000120").mkdir(parents=True)
    assert two[0].tell(1).endswith("from step 120")


@pytest.mark.parametrize("error, left", [(None, False), (KeyboardInterrupt, False), (OSError, True)])
def test_how_a_process_ended_outlasts_a_beat_that_was_under_way(two, tmp_path, monkeypatch, error, left):
    beat, begun, threads = Peers.beat, threading.Event(), set(threading.enumerate())

    def slow(self, state=""):
        if threading.current_thread() not in threads:
            begun.set()
            time.sleep(0.2)
        beat(self, state)

    monkeypatch.setattr(Peers, "beat", slow)
    monkeypatch.setattr(peers, "PAUSE", 0.01)
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    monkeypatch.setattr(peers.multihost_utils, "sync_global_devices", lambda name: None)
    with (
        contextlib.suppress(KeyboardInterrupt, OSError),
        contextlib.contextmanager(peers._watching)(tmp_path),
    ):
        assert begun.wait(10)
        if error:
            raise error
    for thread in set(threading.enumerate()) - threads:
        thread.join()
    assert (tmp_path / ".peer-0").exists() != left
    assert left or two[1]._read(0)[0] == DONE


@pytest.mark.parametrize("met", [True, False])
def test_a_request_to_stop_has_a_deadline(met):
    before, late = signal.getsignal(signal.SIGTERM), threading.Event()
    with interrupts.requests(lambda signum: late.set(), 0.2) as caught:
        os.kill(os.getpid(), signal.SIGTERM)
        while caught.signum is None:
            time.sleep(0.01)
        if not met:
            assert late.wait(10)
    assert not late.wait(0.4) if met else late.is_set()
    assert signal.getsignal(signal.SIGTERM) == before and peers.STOP_SECONDS > 0
