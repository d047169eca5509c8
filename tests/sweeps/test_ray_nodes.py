"""A node of a Ray cluster that is lost: its trial goes to another node, and each ends as one row."""

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from experiments.faults import stand_in
from experiments.faults.stand_in import check_whole, driver, starts

pytest.importorskip("ray", reason="Ray is the extra `cluster`, which is not installed")
pytestmark = pytest.mark.nightly

SECONDS = 120  # for a node to join, a trial to start, a cluster to see that a node is gone
LOOPBACK = "127.0.0.1"
QUICK = {  # a node is lost after two questions that it does not answer
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_timeout_ms": "1000",
    "RAY_health_check_failure_threshold": "2",
    "RAY_health_check_initial_delay_ms": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
}
ACCESS = {
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": secrets.token_hex(32),
}  # of this cluster, to all processes


def started(*words: str) -> subprocess.Popen:
    """A node, as `ray start` makes it, in a group of processes of its own."""
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", *words]
    command += [f"--node-ip-address={LOOPBACK}", "--disable-usage-stats"]
    told = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(command, env=os.environ | ACCESS | QUICK, start_new_session=True, **told)


def ended(node: subprocess.Popen) -> None:
    """Kill all processes of a node at once, as a machine that loses its power does."""
    for pid in members(node.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    node.wait()


def members(session: int) -> list[int]:
    """The processes of a session, and those that they have started in sessions of their own."""
    found: dict[int, tuple[int, int]] = {}  # the parent and the session of each
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = status.read_text().rpartition(")")[2].split()
            found[int(status.parent.name)] = int(fields[1]), int(fields[3])
    own = [pid for pid, (_, of) in found.items() if of == session]
    return own + [pid for pid, (parent, of) in found.items() if parent in own and of != session]


def until(condition, what: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"not within {SECONDS} s: {what}"
        time.sleep(0.05)


@pytest.fixture
def cluster():
    """A head that holds no trial and two nodes that hold one each: the address, and the nodes."""
    with socket.socket() as found:
        found.bind((LOOPBACK, 0))
        port = found.getsockname()[1]
    nodes = [started("--head", f"--port={port}", "--num-cpus=0", "--include-dashboard=false")]
    until(lambda: answers(port), "the head answers")
    nodes += [started(f"--address={LOOPBACK}:{port}", "--num-cpus=1") for _ in range(2)]
    yield f"{LOOPBACK}:{port}", nodes[1:]
    for node in nodes:
        ended(node)


def answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), 1):
        return True
    return False


def test_the_trial_of_a_lost_node_ends_on_another(tmp_path, cluster):
    address, nodes = cluster
    trials = stand_in.prepare(tmp_path, ["long", "long"])
    words = [sys.executable, *driver(tmp_path, f"ray:{address}")]
    told = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(words, env=os.environ | ACCESS, text=True, **told) as process:
        runs = [tmp_path / trial.spec.id for trial in trials]
        until(lambda: all((run / "parent").exists() for run in runs), "both trials have begun")
        of_node = [set(members(node.pid)) for node in nodes]
        held = [[int((run / "parent").read_text()) in pids for pids in of_node] for run in runs]
        assert sorted(held) == [[False, True], [True, False]], "each node holds one"
        lost = held.index([False, True])
        ended(nodes[1])
        (tmp_path / "go").touch()
        said, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, said
    assert said.count("long ok") == 2, said
    assert [starts(tmp_path, trial) for trial in trials] == [2 if i == lost else 1 for i in range(2)]
    check_whole(trials, tmp_path)
