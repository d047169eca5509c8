"""Workers and nodes of a Ray cluster that are killed, where Ray is installed."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import random
import time
from collections.abc import Iterator
from typing import Any

from experiments.faults.kind import Kind, NotRun
from experiments.faults.lab import LIMIT, Lab
from experiments.faults.stand_in import LEASE, check_whole, command, executed, executor_of, prepare, starts
from scaling.runs.leases import Leases
from scaling.runs.rows import OK
from scaling.sweeps.run import Pool


@contextlib.contextmanager
def cluster(nodes: int) -> Iterator[tuple[str, list[Any]]]:
    """A cluster of this machine: the engine's name, and its nodes without the head."""
    if importlib.util.find_spec("ray") is None:
        raise NotRun("Ray is not installed (the extra `cluster`)")
    import ray
    from ray.cluster_utils import Cluster

    made = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 0, "include_dashboard": False, "node_ip_address": "127.0.0.1"},
    )
    try:
        others = [made.add_node(num_cpus=2, node_ip_address="127.0.0.1") for _ in range(nodes)]
        made.wait_for_nodes()
        ray.init(address=made.address, log_to_driver=False)
        yield f"ray:{made.address}", others
    finally:
        ray.shutdown()
        made.shutdown()


def worker_killed(lab: Lab, rng: random.Random) -> None:
    """A trial's process is killed once; it is tried again."""
    with cluster(1) as (engine, _):
        made = prepare(lab.here, ["once", *["good"] * rng.randrange(1, 4)])
        assert executed(made, lab.here, engine, say=str) == {OK: len(made)}
        check_whole(made, lab.here)
        assert [starts(lab.here, trial) for trial in made] == [2] + [1] * (len(made) - 1)


def watcher_killed(lab: Lab, rng: random.Random) -> None:
    """The worker of Ray that watches a trial is killed; the trial is tried again."""
    with cluster(1) as (engine, _):
        (trial,) = made = prepare(lab.here, ["long"])
        pool = Pool(lab.here, executor_of(engine, str), command, leases=Leases(LEASE, str))
        pool.submit(trial)
        _poll(pool, lambda: (lab.here / trial.spec.id / "parent").exists())
        os.kill(int((lab.here / trial.spec.id / "parent").read_text()), 9)
        _poll(pool, lambda: starts(lab.here, trial) == 2)
        (lab.here / "go").touch()
        _poll(pool, lambda: not pool.under_way)
        check_whole(made, lab.here)


def node_killed(lab: Lab, rng: random.Random) -> None:
    """One of two nodes is killed with the trials on it; they end on the other."""
    with cluster(2) as (engine, nodes):
        made = prepare(lab.here, ["long"] * 4)
        pool = Pool(lab.here, executor_of(engine, str, workers=4), command, leases=Leases(LEASE, str))
        for trial in made:
            pool.submit(trial)
        _poll(pool, lambda: all((lab.here / trial.spec.id / "started").exists() for trial in made))
        rng.choice(nodes).kill_all_processes(allow_graceful=False)
        _poll(pool, lambda: sum(starts(lab.here, trial) for trial in made) > len(made))
        (lab.here / "go").touch()
        _poll(pool, lambda: not pool.under_way)
        check_whole(made, lab.here)


def _poll(pool: Pool, done: Any) -> None:
    """Poll until something is done."""
    until = time.monotonic() + LIMIT
    while not done():
        pool.poll()
        assert time.monotonic() < until, f"nothing happened for {LIMIT:.0f} s"


KINDS = (
    Kind("Ray: trial killed", "tried again, one row each", worker_killed, 2),
    Kind("Ray: worker killed", "its trial tried again, one row", watcher_killed, 2),
    Kind("Ray: node killed", "its trials end on another node, one row each", node_killed, 2),
)
