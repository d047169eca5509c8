"""Two processes that train one network: one is killed or stopped, and the other ends with a sentence."""

from __future__ import annotations

import random
import signal
import socket
import subprocess
import time
from pathlib import Path

import numpy as np

from experiments.faults import tiny
from experiments.faults.kind import Kind
from experiments.faults.lab import LIMIT, Lab, finish, wait_until
from scaling.runs.rows import OK, Row, read_row
from scaling.runs.workdir import ROW
from scaling.training.peers import PEER_LOST

CHANGES = {"train.devices": None, "train.batch_norm": "synced", "train.log_every": "1 steps"}
SOON = 20.0  # seconds until a process must have ended that lost a peer


def _train(lab: Lab, workdir: Path, *words: str, devices: int = 1) -> subprocess.Popen:
    """Start the command on the tiny run, with so many devices."""
    told = {"JAX_NUM_CPU_DEVICES": str(devices)}
    config = tiny.given(workdir.parent, CHANGES)
    return lab.start("-m", "experiments.train", config, f"--workdir={workdir}", *words, told=told)


def _whole(lab: Lab, directory: Path) -> Row:
    """The same run by one process of two devices."""
    finish(_train(lab, directory / "run", devices=2))
    return read_row(directory / "run" / ROW)


def lose(lab: Lab, number: signal.Signals, rng: random.Random) -> None:
    """Send one of two processes a signal; then one process of two devices goes on to the end."""
    whole, workdir, step, lost = lab.once(_whole), lab.here / "run", rng.randrange(2, 12), rng.randrange(2)
    with socket.socket() as free:
        free.bind(("localhost", 0))
        address = f"localhost:{free.getsockname()[1]}"
    words = [f"--coordinator={address}", "--process_count=2"]
    both = [_train(lab, workdir, *words, f"--process_id={i}") for i in range(2)]
    gone, left = both[lost], both[1 - lost]
    wait_until(lambda: tiny.newest(workdir) >= step, left)
    gone.send_signal(number)
    began = time.monotonic()
    said, _ = left.communicate(timeout=LIMIT)
    assert left.returncode == PEER_LOST, f"exit code {left.returncode}: {said[-600:]}"
    assert time.monotonic() - began < SOON, f"it took {time.monotonic() - began:.0f} s"
    told = [line for line in said.splitlines() if f"process {lost} of 2 is gone" in line]
    assert len(told) == 1 and "the same command goes on from step" in told[0] and "Traceback" not in said
    assert not (workdir / ROW).exists()
    gone.kill()
    said = finish(_train(lab, workdir, devices=2))
    assert f"resuming from step {told[0].rpartition(' ')[2]}" in said
    row = read_row(workdir / ROW)
    assert (row.status, row.steps) == (OK, whole.steps)
    np.testing.assert_allclose(row.metrics["test_loss"], whole.metrics["test_loss"], 1e-3)


def killed(lab: Lab, rng: random.Random) -> None:
    """SIGKILL, of which the system tells at once."""
    lose(lab, signal.SIGKILL, rng)


def stopped(lab: Lab, rng: random.Random) -> None:
    """SIGSTOP, of which only silence tells."""
    lose(lab, signal.SIGSTOP, rng)


ENDS = "one sentence, code 76 in 20 s; one process ends it equal to rounding"
KINDS = (
    Kind("peer killed", ENDS, killed, 3),
    Kind("peer stopped", ENDS, stopped, 2),
)
