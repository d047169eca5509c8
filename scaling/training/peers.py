"""Several processes that train one network: whoever loses a peer says so in a sentence, and ends."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path

import jax
from jax.experimental import multihost_utils

from scaling.border.files import write_atomically
from scaling.runs.leases import Holder
from scaling.runs.workdir import CHECKPOINTS
from scaling.training.checkpoints import saved_steps

PEER_LOST = 76  # exit code of a process that lost a peer
SILENT = 12.0  # seconds without a beat after which a peer is gone
PAUSE = 1.0
STOP_SECONDS = 60.0  # from a signal to stop until a process ends with what is saved
DONE, LEFT = "done", "left"  # with training; with JAX's service, too


class Peers:
    """The processes of one run, each with a file in its directory that it keeps changing."""

    def __init__(self, workdir: Path, index: int, count: int, silent: float = SILENT):
        self._workdir, self._index, self._count, self._silent = workdir, index, count, silent
        self._holder, self._beats = Holder(uuid.uuid4().hex), 0
        self._seen: dict[int, tuple[str, float]] = {}

    def beat(self, state: str = "") -> None:
        """Show that this process lives, or that it is done."""
        self._beats += 1
        told = {**asdict(self._holder), "beats": self._beats, "state": state}
        write_atomically(self._path(self._index), json.dumps(told))

    def leave(self) -> None:
        """Take this process's file away: it ends, and not as it should."""
        self._path(self._index).unlink(missing_ok=True)

    def lost(self) -> int | None:
        """The number of a peer that is gone or silent; None while all are well or done."""
        others = (index for index in range(self._count) if index != self._index)
        return next((index for index in others if self._is_lost(index)), None)

    def all_left(self) -> bool:
        """Whether every other process has left JAX's service, or is gone."""
        others = (self._read(index) for index in range(self._count) if index != self._index)
        return all(state == LEFT or (holder is not None and holder.is_gone) for state, holder in others)

    def _read(self, index: int) -> tuple[str, Holder | None]:
        """The state of a process and who it is; nobody where its file is not there or not whole."""
        try:
            told = json.loads(self._path(index).read_text())
            return told.pop("state"), Holder(**{k: told[k] for k in asdict(self._holder)})
        except (OSError, ValueError, KeyError):
            return "", None

    def tell(self, index: int) -> str:
        """One sentence on a lost peer, and on what follows."""
        return f"process {index} of {self._count} is gone; {goes_on(self._workdir)}"

    def _is_lost(self, index: int) -> bool:
        now = time.monotonic()
        try:
            text = self._path(index).read_text()
        except FileNotFoundError:
            return True
        except OSError:  # the disk cannot say: as silent as that
            text = self._seen.get(index, ("", now))[0]
        before, since = self._seen.get(index, (None, now))
        if text != before:
            self._seen[index], since = (text, now), now
        state, holder = self._read(index)
        quiet = now - since > self._silent
        return state not in (DONE, LEFT) and (quiet or (holder is not None and holder.is_gone))

    def _path(self, index: int) -> Path:
        return self._workdir / f".peer-{index}"


@contextlib.contextmanager
def watched(workdir: Path) -> Iterator[None]:
    """End this process, with PEER_LOST and a sentence, where another of the run is gone or silent.

    All processes come in together. A collective operation that fails since a peer is gone ends so, too.
    """
    if jax.process_count() == 1:
        yield
        return
    with _patient_abort():
        yield from _watching(workdir)


def _watching(workdir: Path) -> Iterator[None]:
    """Watch the others while the caller works, and tell them how that ended."""
    peers, over = Peers(workdir, jax.process_index(), jax.process_count()), threading.Event()
    peers.beat()
    multihost_utils.sync_global_devices("peers")  # from here on, all files are of this attempt
    watcher = threading.Thread(target=_watch, args=(peers, over), daemon=True)
    watcher.start()
    tell = peers.leave
    try:
        yield
        tell = partial(peers.beat, DONE)
    except KeyboardInterrupt:  # all of them stop
        tell = partial(peers.beat, DONE)
        raise
    except (jax.errors.JaxRuntimeError, ValueError):  # of JAX, also as ValueError
        over.wait(SILENT + 3 * PAUSE)  # of a lost peer, the watcher ends this process
        raise
    finally:
        over.set()
        watcher.join()  # a beat that is under way would land on what is told now
        tell()


@contextlib.contextmanager
def _patient_abort() -> Iterator[None]:
    """Let a call of abort() wait, so that the watcher says first who is gone.

    Process 0 hosts JAX's service: where it is gone, JAX's client aborts the others at once. The handler is
    C's, since Python's would run in the main thread, which waits in a collective operation.
    """
    libc, kind = ctypes.CDLL(None), ctypes.CFUNCTYPE(None, ctypes.c_int)
    libc.signal.restype, libc.signal.argtypes = ctypes.c_void_p, (ctypes.c_int, ctypes.c_void_p)
    wait = kind(lambda signum: time.sleep(SILENT + 3 * PAUSE))
    before = libc.signal(signal.SIGABRT, ctypes.cast(wait, ctypes.c_void_p))
    try:
        yield
    finally:
        libc.signal(signal.SIGABRT, before)


def part(workdir: Path) -> None:
    """End JAX's service of several processes, in order: the others first, then process 0, which hosts it.

    A process that asks to leave when the service is gone already would be aborted.
    """
    index, count = jax.process_index(), jax.process_count()
    if count == 1:
        return
    peers, until = Peers(workdir, index, count), time.monotonic() + SILENT
    if index:
        jax.distributed.shutdown()
        peers.beat(LEFT)
        return
    while not peers.all_left() and time.monotonic() < until:
        time.sleep(PAUSE / 10)


def _watch(peers: Peers, over: threading.Event) -> None:
    while not over.wait(PAUSE):
        with contextlib.suppress(OSError):
            peers.beat()
        if (index := peers.lost()) is not None and not over.is_set():
            end(peers.tell(index), PEER_LOST)


def goes_on(workdir: Path) -> str:
    """From which step the same command goes on with a run."""
    return f"the same command goes on from step {max(saved_steps(workdir / CHECKPOINTS), default=0)}"


def end(text: str, code: int) -> None:
    """End this process at once, with a sentence: what waits for others in its libraries would not end."""
    print(text, file=sys.stderr, flush=True)
    os._exit(code)


def overdue(workdir: Path, signum: int) -> None:
    """End a process that was asked to stop and could not: its peers did not come along."""
    end(f"not stopped within {STOP_SECONDS:.0f} s of the signal; {goes_on(workdir)}", 128 + signum)
