"""An executor over a Ray cluster (extra `cluster`): Ray finds a place for each job, and no more.

What runs there is the ordinary process of a trial, started afresh with its devices in the environment;
nothing but a `Job` and its `Ended` travels. Retries are ours, and results are read from the store, which all
nodes see.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import time
from typing import Any

from scaling.runs.workdir import LOG
from scaling.sweeps.executors import PAUSE, end_all
from scaling.sweeps.worker import Ended, Job, Resources, Say, Worker, note

LOST_CODE = -9  # of a process that went with its node or with the worker of Ray that watched it


class RayExecutor:
    """Jobs on the nodes of a Ray cluster, `workers` at a time, each where its resources are free.

    Without an address a cluster of this machine is started, without a dashboard, at the loopback address. A
    node needs the same Python, code and directories at the same paths.
    """

    def __init__(self, workers: int, address: str | None = None, grace: float = 20.0, say: Say | None = None):
        if workers < 1:
            raise ValueError(f"workers={workers} must be at least 1: it is how many trials run at a time.")
        self._ray = connected(address)
        self._workers, self._grace, self._say = workers, grace, say or note
        self._work = self._ray.remote(max_retries=0)(work)
        self._running: dict[Any, tuple[Job, float]] = {}

    def room(self) -> int:
        return self._workers - len(self._running)

    def submit(self, job: Job) -> None:
        needs = job.resources
        self._check_possible(needs)
        amounts: dict[str, Any] = {"num_cpus": needs.cpus, "num_gpus": needs.gpus}
        if needs.memory:
            amounts["memory"] = int(needs.memory * 2**30)
        task = self._work.options(**amounts).remote(job, os.getcwd(), self._grace)
        self._running[task] = job, time.monotonic()

    def poll(self, seconds: float) -> list[Ended]:
        if not self._running:
            return []
        ready, _ = self._ray.wait(list(self._running), num_returns=1, timeout=seconds)
        return [self._ended(task, *self._running.pop(task)) for task in ready]

    def cancel(self) -> None:
        for task in self._running:
            self._ray.cancel(task)
        if self._running:
            self._ray.wait(list(self._running), num_returns=len(self._running), timeout=self._grace + 5)
        self._running.clear()

    def _ended(self, task: Any, job: Job, started: float) -> Ended:
        """What a task returned; a process that is lost where its node or its watcher is."""
        errors = self._ray.exceptions
        try:
            return self._ray.get(task)
        except errors.RayTaskError as error:
            code, starved = 1, False
            with contextlib.suppress(OSError), open(job.directory / LOG, "a") as log:
                print(str(error), file=log)
        except errors.RayError as error:
            code, starved = LOST_CODE, isinstance(error, errors.OutOfMemoryError)
        return Ended(job, code, False, time.monotonic() - started, starved=starved)

    def _check_possible(self, needs: Resources) -> None:
        """Say so where no node has what a job needs: it then waits until one joins."""
        asked = {"CPU": needs.cpus, "GPU": needs.gpus, "memory": needs.memory * 2**30}
        nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        if not any(all(node.get(kind, 0) >= amount for kind, amount in asked.items()) for node in nodes):
            self._say(
                f"no node of the cluster has {needs.cpus:g} processors, {needs.gpus:g} accelerators and "
                f"{needs.memory:g} GiB (config.train.cpus, gpus, memory): its trials wait until one joins."
            )


def work(job: Job, place: str, grace: float) -> Ended:
    """Run a job's process to its end, on a node, in the directory that it was submitted from.

    Cancelled, it lets the process save. Devices are those that Ray has given: without `gpus`, none.
    """
    os.chdir(place)
    job.directory.mkdir(parents=True, exist_ok=True)
    devices = {} if job.resources.gpus else {"CUDA_VISIBLE_DEVICES": ""}
    if 0 < job.resources.gpus < 1:
        devices["XLA_PYTHON_CLIENT_MEM_FRACTION"] = f"{0.9 * job.resources.gpus:.3f}"
    worker, pause = Worker(job, devices, grace), PAUSE / 32
    try:
        while (ended := worker.ended()) is None:
            time.sleep(pause)
            pause = min(2 * pause, PAUSE)  # a trial that ends at once is seen at once
        return ended
    finally:
        end_all([worker], grace)


def connected(address: str | None) -> Any:
    """Return the module `ray`, connected once a process to the cluster at `address`, or to one of its own.

    ValueError where Ray is not installed, or nobody answers.
    """
    try:
        ray = importlib.import_module("ray")
    except ModuleNotFoundError as error:
        raise ValueError(
            "--engine=ray needs Ray, which is not installed: pip install 'jax-compound[cluster]', or leave the engine out."
        ) from error
    if ray.is_initialized():
        return ray
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    quiet = {"configure_logging": False, "log_to_driver": False, "logging_level": "warning"}
    own = {"include_dashboard": False, "_node_ip_address": "127.0.0.1"}
    try:
        ray.init(address=address or "local", **quiet, **({} if address else own))
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise ValueError(
            f"--address={address} gives no Ray cluster ({error}): start one (docs/many_machines.md), or leave it out."
        ) from error
    return ray
