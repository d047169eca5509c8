"""One contender in a process of its own: prepare a task, run it when told to, report its memory.

python -m experiments.benchmarks.worker JOB_JSON reads one JSON command a line and answers each.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable, Iterable
from typing import Any, TextIO

from experiments.benchmarks import memory
from experiments.benchmarks.prepared import Prepared
from experiments.benchmarks.tasks import Job, Task


def in_jax(job: Job, task: Task) -> Prepared:
    from experiments.benchmarks.peers import in_jax

    return in_jax.prepare(job, task)


def in_torch(job: Job, task: Task) -> Prepared:
    from experiments.benchmarks.peers import in_torch

    return in_torch.prepare(job, task)


CONTENDERS: dict[str, Callable[[Job, Task], Prepared]] = {
    "ours": in_jax,
    "ours, warm cache": in_jax,
    "ours, no kernels": in_jax,
    "ours, threads": in_jax,
    "ours, jit": in_jax,
    "shifted depthwise": in_jax,
    "lax": in_jax,
    "stock Flax": in_jax,
    "torch channels_last": in_torch,
    "torch NCHW": in_torch,
    "torch.compile": in_torch,
    "torch DataLoader": in_torch,
    "torch DataLoader, full decode": in_torch,
}


class Session:
    """The state of one worker: its job and the one task that is prepared."""

    def __init__(self, job: Job):
        self.job = job
        self.prepared: Prepared | None = None
        self.before: dict[str, Any] = {}

    def device(self, _: int) -> dict[str, Any]:
        import jax

        from scaling.models.operators import BY_BACKEND, operators_of

        found = jax.devices()[0]
        native = operators_of() == BY_BACKEND["native"]
        return {
            "backend": jax.default_backend(),
            "device_kind": found.device_kind,
            "native": native,
            "devices": jax.device_count(),
        }

    def prepare(self, task: int) -> dict[str, Any]:
        self.prepared = None
        self.prepared = CONTENDERS[self.job.contender](self.job, self.job.tasks[task])
        return {}

    def run(self, _: int) -> dict[str, Any]:
        return {"seconds": self._ready().run()}

    def settle(self, _: int) -> dict[str, Any]:
        """Give back what preparing has freed, and forget its peak."""
        self.before = {"preparing_peak_bytes": memory.peak()}
        memory.trim()
        self._ready().reset()
        self.before |= {"resident_bytes": memory.resident(), "peak_was_reset": memory.reset_peak()}
        return {}

    def finish(self, _: int) -> dict[str, Any]:
        return {"peak_bytes": memory.peak(), **self.before, **self._ready().facts()}

    def _ready(self) -> Prepared:
        if self.prepared is None:
            raise ValueError("nothing is prepared: send a prepare command first.")
        return self.prepared


def serve(session: Session, commands: Iterable[str], replies: TextIO) -> None:
    """Answer commands until they end; a failure is an answer too."""
    for line in commands:
        command = json.loads(line)
        print(json.dumps(answer(session, command["do"], command.get("task", 0))), file=replies, flush=True)


def answer(session: Session, do: str, task: int) -> dict[str, Any]:
    try:
        return getattr(session, do)(task)
    except ModuleNotFoundError as error:
        name = (error.name or str(error)).split(".")[0]
        return {"absent": f"{name} is not installed (pip install {name})"}
    except Exception as error:  # noqa: BLE001 - whatever a peer raises is one line of the table
        traceback.print_exc()
        return {"failed": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"}


def main(argv: list[str]) -> None:
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is not an answer
    serve(Session(Job.from_json(argv[0])), sys.stdin, replies)


if __name__ == "__main__":
    main(sys.argv[1:])
