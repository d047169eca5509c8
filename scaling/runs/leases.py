"""Who works on a run: a numbered file in its directory that the holder keeps beating.

Files are created exclusively, which network file systems grant too. A holder that falls silent loses the run
to whoever first creates the next number. Time is each observer's own monotonic clock: no wall clocks are
compared.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import signal
import socket
import sys
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from scaling.border.files import parse_json
from scaling.runs import store

SILENT = 90.0  # seconds without a beat after which a run is taken over
BEATS = 18  # in so long a time
LOST_LEASE = 75  # exit code of a process whose run is another's now (EX_TEMPFAIL: try again)
VARIABLE = "JAX_COMPOUND_LEASE"  # tells a process which lease it works under
PREFIX = ".lease-"


@dataclass(frozen=True)
class Holder:
    """Who holds a lease; `machine` names one process table, "" where that cannot be told."""

    token: str
    host: str = field(default_factory=socket.gethostname)
    pid: int = field(default_factory=os.getpid)
    born: str = field(default_factory=lambda: _born(os.getpid()))
    machine: str = field(default_factory=store.machine)

    @property
    def is_gone(self) -> bool:
        """Whether this is a process of this machine that has ended; False where that cannot be told."""
        return self.is_here and _born(self.pid) != self.born

    @property
    def is_here(self) -> bool:
        """Whether this is, or was, a process of this machine."""
        return bool(self.machine) and self.machine == store.machine()

    def __str__(self) -> str:
        return f"process {self.pid} of {self.host}"


class Lease:
    """A lease that this process holds, until it is released or taken over."""

    def __init__(self, path: Path, holder: Holder, descriptor: int, silent: float):
        self._path, self._holder, self._descriptor, self._silent = path, holder, descriptor, silent
        self._beats, self._guard = 0, threading.Lock()

    @property
    def is_held(self) -> bool:
        """Whether the run is still ours: nobody has taken the lease over, or removed it."""
        return _is_own(self._path, self._holder.token)

    @property
    def environment(self) -> dict[str, str]:
        """What a process that works under the lease is told (`watch`)."""
        return {VARIABLE: json.dumps([str(self._path.absolute()), self._holder.token, self._silent])}

    def beat(self) -> None:
        """Show that the holder lives; harmless where the file is gone."""
        with self._guard, contextlib.suppress(OSError):
            if self._descriptor >= 0:
                self._beats += 1
                _write(self._descriptor, self._holder, self._beats)

    def release(self) -> None:
        """Give the run up, unless it is another's already: what was taken over goes first, ours last."""
        held = self.is_held
        with self._guard:
            os.close(self._descriptor)
            self._descriptor = -1
        if held:
            for path in sorted(self._path.parent.glob(PREFIX + "*")):
                if path <= self._path:
                    path.unlink(missing_ok=True)


class Leases:
    """The leases of one driver: claims them, beats for all of them, and sees which of others fall silent.

    A run is free once its holder gave no beat for `silent` seconds, or at once where that is a process of
    this machine that has ended. `say` hears, once each, of what is silent and what is taken over.
    """

    def __init__(self, silent: float = SILENT, say: Callable[[str], None] | None = None):
        self._silent, self._say = silent, say or (lambda text: print(text, file=sys.stderr, flush=True))
        self._held: dict[Path, Lease] = {}
        self._seen: dict[Path, tuple[bytes, float]] = {}
        self._told: set[tuple[Path, str]] = set()
        self._over = threading.Event()

    def claim(self, run: Path) -> Lease | None:
        """Return the lease of a run's directory; None while anybody else is at work there."""
        run.mkdir(parents=True, exist_ok=True)
        newest = _newest(run)
        holder, quiet = self._look(newest) if newest else (None, 0.0)
        if newest and not (quiet >= self._silent or (holder and holder.is_gone)):
            return None
        if store.is_locked(run):  # by the training itself, which may have outlived its driver
            if quiet >= self._silent and holder and holder.is_here:
                store.evict(run)
            return None
        lease = _create(run, 1 + (_number(newest) if newest else 0), self._silent)
        if lease is not None:
            if newest:
                self._tell(
                    newest, f"run {run.name} is taken over from {holder or 'a process'}, which is gone."
                )
            self._keep(run, lease)
        return lease

    def release(self, run: Path) -> None:
        """Give up the lease of a run, where there is one."""
        if lease := self._held.pop(run, None):
            lease.release()
        if not self._held:
            self._over.set()

    def close(self) -> None:
        """Give up all leases."""
        for run in list(self._held):
            self.release(run)

    def _keep(self, run: Path, lease: Lease) -> None:
        if not self._held:
            self._over = threading.Event()
            threading.Thread(target=self._beat, args=(self._over,), daemon=True).start()
        self._held[run] = lease

    def _beat(self, over: threading.Event) -> None:
        while not over.wait(self._silent / BEATS):
            for lease in list(self._held.values()):
                lease.beat()

    def _look(self, path: Path) -> tuple[Holder | None, float]:
        """The holder of another's lease, and for how long this process has seen no beat of it."""
        text, now = _read(path), time.monotonic()
        before, since = self._seen.get(path, (None, now))
        if text != before:
            self._seen[path], since = (text, now), now
        holder, quiet = _holder(text), now - since
        if quiet > self._silent / 2:
            self._tell(path, f"{holder or 'a process'}, which works on run {path.parent.name}, is silent.")
        return holder, quiet

    def _tell(self, path: Path, text: str) -> None:
        if (path, text) not in self._told:
            self._told.add((path, text))
            self._say(f"note: {text}")


def watch(environment: Mapping[str, str] = os.environ) -> None:
    """Let this process stop where the run that it works on is no longer its driver's.

    Where the driver is gone or silent it gets SIGTERM, to save and to stop, and ends before anybody takes the
    run over; where the run is another's already, it ends at once. Without a lease, nothing is watched.
    """
    if told := environment.get(VARIABLE):
        path, token, silent = json.loads(told)
        watcher = functools.partial(_watch, Path(path), token, silent, os.getppid())
        threading.Thread(target=watcher, daemon=True).start()


def _watch(path: Path, token: str, silent: float, parent: int) -> None:
    seen, since, asked = b"", time.monotonic(), False
    while True:
        if not _is_own(path, token):
            os._exit(LOST_LEASE)
        text, now = _read(path), time.monotonic()
        if text != seen:
            seen, since = text, now
        if not asked and (now - since > silent / 3 or os.getppid() != parent):
            asked = True
            os.kill(os.getpid(), signal.SIGTERM)
        if now - since > silent * 2 / 3:
            os._exit(LOST_LEASE)
        time.sleep(min(1.0, silent / BEATS))


def _create(run: Path, number: int, silent: float) -> Lease | None:
    """Create the lease of a number; None where another was first."""
    path, holder = run / f"{PREFIX}{number:06d}", Holder(uuid.uuid4().hex)
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
    except FileExistsError:
        return None
    _write(descriptor, holder, 0)
    return Lease(path, holder, descriptor, silent)


def _write(descriptor: int, holder: Holder, beats: int) -> None:
    """Write a lease in place, in one call and always as long: what was unlinked is not made anew."""
    os.pwrite(descriptor, json.dumps({**asdict(holder), "beats": f"{beats:012d}"}).encode(), 0)
    os.fsync(descriptor)


def _holder(text: bytes) -> Holder | None:
    """Who wrote a lease; None where it is not whole."""
    try:
        values = parse_json(text)
        values.pop("beats")
        return Holder(**values)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _is_own(path: Path, token: str) -> bool:
    """Whether a lease of this token is there, and none of a higher number; True if the disk cannot say."""
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return False
    except OSError:
        return True
    holder = _holder(text)
    later = path.with_name(f"{PREFIX}{_number(path) + 1:06d}")
    return (holder is None or holder.token == token) and not later.exists()


def _newest(run: Path) -> Path | None:
    return max(run.glob(PREFIX + "[0-9]*"), default=None)


def _number(path: Path) -> int:
    return int(path.name.removeprefix(PREFIX))


def _born(pid: int) -> str:
    """When a process of this machine began, in the kernel's ticks; "" where there is none, or a zombie."""
    try:
        state, *rest = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return ""
    return "" if state in "ZX" else rest[18]
