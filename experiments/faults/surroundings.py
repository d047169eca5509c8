"""What surrounds a run: its disk, the clock, its data, and values that are not finite."""

from __future__ import annotations

import contextlib
import ctypes
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import jax.numpy as jnp
import numpy as np
from PIL import Image

from experiments.faults import tiny
from experiments.faults.kind import Kind, NotRun
from experiments.faults.lab import Lab, finish, refusal, refused
from experiments.faults.nursery import Command
from scaling.runs.rows import NAN, OK
from scaling.runs.spec import RunSpec
from scaling.runs.workdir import CHECKPOINTS
from scaling.training import Interrupted, run, runtime
from scaling.training.progress import Silent

OVERRIDES = 1  # the number of the capability by which root writes to what is read-only (capabilities(7))
VERSION = 0x20080522  # of the system's calls capget and capset


@contextlib.contextmanager
def mounted(path: Path, options: str) -> Iterator[None]:
    """A small file system in memory; NotRun where this process may mount none."""
    path.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        raise NotRun(f"no small file system can be mounted here ({made.stderr.strip()})")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


def full_disk(lab: Lab, rng: random.Random) -> None:
    """Fill the disk in the middle of a training: a sentence; with room again, the same command ends equal."""
    reference = lab.once(tiny.whole)
    with mounted(lab.here / "disk", f"size={rng.randrange(48, 120)}k"):
        workdir = lab.here / "disk" / "run"
        told = refused(_train_at(lab, workdir))
        assert "the disk is full: make room, and the same command goes on" in told, told
        leftovers = [p for p in workdir.rglob("*") if p.name.startswith(".0")]
        assert not leftovers, leftovers
        subprocess.run(["mount", "-o", "remount,size=64m", str(lab.here / "disk")], check=True)
        finish(_train_at(lab, workdir))
        tiny.check_equal(workdir, reference)


def _train_at(lab: Lab, workdir: Path) -> Command:
    """Start the tiny run in a directory whose parent may hold nothing more."""
    return lab.command("train", tiny.given(lab.root), f"--workdir={workdir}")


def give_up_override() -> None:
    """Give up this process's right, as root, to write what is read-only."""
    libc, found = ctypes.CDLL(None, use_errno=True), (ctypes.c_uint32 * 6)()
    header = (ctypes.c_uint32 * 2)(VERSION, 0)
    libc.capget(header, found)
    found[0] &= ~(1 << OVERRIDES)  # of those in effect; the others are permitted and inheritable ones
    if libc.capset(header, found):
        raise OSError(ctypes.get_errno(), "a capability cannot be given up")


def read_only(lab: Lab, rng: random.Random) -> None:
    """Make a run's directory read-only between two attempts: a sentence, nothing changed; then it goes on."""
    here = lab.once(tiny.Here)
    workdir = here.unfinished(lab.here / "run")
    config = tiny.given(lab.root, tiny.SHORT)
    folders = [workdir, *(p for p in workdir.rglob("*") if p.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    words = ("train", config, f"--workdir={workdir}")
    told = refused(lab.command(*words, weak=True))
    assert "permission is denied" in told, told
    for folder in folders:
        folder.chmod(0o755)
    finish(lab.command(*words))
    tiny.check_equal(workdir, here.finished)


class At(Silent):
    """A reporter that does something once, when a step is logged."""

    def __init__(self, step: int, deed) -> None:
        self._step, self._deed = step, deed

    def progress(self, step: int, total: int, note: str) -> None:
        if self._deed and step >= self._step:
            deed, self._deed = self._deed, None
            deed()


def clock_jump(lab: Lab, rng: random.Random) -> None:
    """Set the clock years forth or back in the middle of a run: it ends equal, and its times make sense."""
    here, shift = lab.once(tiny.Here), [0.0]
    years = rng.choice((-20, -1, 1, 20)) * 365 * 86400.0
    real = time.time
    with mock.patch("time.time", lambda: real() + shift[0]):
        row = here.train(lab.here / "run", At(rng.randrange(3, 12), lambda: shift.__setitem__(0, years)))
    assert row.seconds is not None and 0 < row.seconds < 3600
    assert row.step_ms is None or row.step_ms > 0
    tiny.check_equal(lab.here / "run", here.finished)


def not_finite(lab: Lab, rng: random.Random) -> None:
    """One update is not finite: each policy does what it says, and says so in the row."""
    policy, bad = rng.choice(("stop", "skip", "rollback")), rng.randrange(5, 11)
    told = {"train.non_finite": policy, "train.rollback_rate": 1e-30, "optimizer.lr": 0.5}
    spec = RunSpec.from_config(tiny.config({**tiny.SHORT, **told}))
    value = 1e30 if policy == "rollback" else np.nan  # at a rate so much lower it is harmless
    rate = lambda step: jnp.where(step == bad - 1, value, 0.5)
    with mock.patch.object(runtime.schedules, "build", lambda *arguments: rate):
        row = run(spec, lab.here / "run", Silent())
    expected = {"stop": (NAN, 0, 0), "skip": (OK, 1, 0), "rollback": (OK, 0, 1)}[policy]
    assert (row.status, row.skipped, row.rollbacks) == expected, f"{policy}: {row}"
    assert (
        row.steps == (12 if row.status == OK else row.steps)
        and "NaN" not in (lab.here / "run" / "row.json").read_text()
    )
    if policy == "stop":
        assert row.steps == bad and "not finite" in row.message
        assert max(tiny.checkpoints.saved_steps(lab.here / "run" / CHECKPOINTS)) < bad


def _photos(root: Path, count: int = 48) -> Path:
    """A folder of two classes of small JPEGs in two splits."""
    rng = np.random.default_rng(0)
    for i in range(count):
        folder = root / ("train" if i % 4 else "val") / "ab"[i // 4 % 2]
        folder.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (4, 4, 3)).astype(np.uint8).repeat(4, 0).repeat(4, 1)
        Image.fromarray(pixels).save(folder / f"{i:02d}.jpg", quality=95)
    return root


def _photo_run(photos: Path, resident: bool) -> RunSpec:
    """The tiny run on a folder of photos."""
    data = {"source": "folder", "dir": str(photos), "test": "val", "resident": resident, "store": 8}
    changes = {"data": data, "train.batch": 6, "train.duration": "24 steps", "train.eval_every": "6 steps"}
    return RunSpec.from_config(tiny.config(changes))


def damaged_photo(lab: Lab, rng: random.Random) -> None:
    """Damage a JPEG while a run streams it: named in a sentence; put back, the run ends equal."""
    photos = _photos(lab.here / "photos")
    spec = _photo_run(photos, resident=False)
    run(spec, lab.here / "whole", Silent())
    victim = rng.choice(sorted(photos.glob("train/*/*.jpg")))
    whole = victim.read_bytes()
    damage = lambda: victim.write_bytes(whole[:2] + bytes(len(whole) - 4) + whole[-2:])
    told = refusal(lambda: run(spec, lab.here / "run", At(rng.randrange(3, 9), damage)))
    assert victim.name in told, told or "a damaged photo was believed"
    victim.write_bytes(whole)
    run(spec, lab.here / "run", Silent())
    tiny.check_equal(lab.here / "run", lab.here / "whole")


def changed_data(lab: Lab, rng: random.Random) -> None:
    """Delete or replace photos between two attempts: refused in a sentence; put back, the run ends equal."""
    photos = _photos(lab.here / "photos")
    spec = _photo_run(photos, resident=True)
    run(spec, lab.here / "whole", Silent())
    stop = At(rng.randrange(6, 15), lambda: os.kill(os.getpid(), signal.SIGTERM))
    with contextlib.suppress(Interrupted):
        run(spec, lab.here / "run", stop)
    shutil.copytree(photos, lab.here / "kept")
    for victim in rng.sample(sorted(photos.glob("train/*/*.jpg")), rng.randrange(1, 10)):
        if rng.random() < 0.3:
            victim.write_bytes(victim.read_bytes() + b"\0")
        else:
            victim.unlink()
    told = refusal(lambda: run(_photo_run(photos, resident=True), lab.here / "run", Silent()))
    assert "--workdir" in told, told or "other data was believed"
    shutil.rmtree(photos)
    (lab.here / "kept").rename(photos)
    run(spec, lab.here / "run", Silent())
    tiny.check_equal(lab.here / "run", lab.here / "whole")


KINDS = (
    Kind("disk full", "a sentence, no leftovers; with room, bit-equal", full_disk, 4),
    Kind("directory read-only", "a sentence; writable again, bit-equal", read_only, 3),
    Kind("clock set by years", "bit-equal; times make sense", clock_jump, 5, 1),
    Kind("update not finite", "stop, skip, rollback as stated; one row", not_finite, 6, 1),
    Kind("JPEG damaged mid-run", "named in a sentence; put back, bit-equal", damaged_photo, 3),
    Kind("data changed between attempts", "refused in a sentence; put back, bit-equal", changed_data, 4),
)
