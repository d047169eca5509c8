"""What a contender is asked to time, as frozen JSON-able values, and the job that a worker is given."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

MODES = ("train", "inference")
DIRECTIONS = ("forward", "forward + backward")


@dataclass(frozen=True)
class Step:
    """One step of a zoo network; `mode` "train" is forward, backward and SGD with batch statistics."""

    model: str
    mode: str
    batch: int
    resolution: int
    dtype: str = "float32"

    @property
    def case(self) -> str:
        return "step"


@dataclass(frozen=True)
class Operator:
    """One operator on (batch, side, side, channels), met `times` times in `model`.

    `op` is depthwise, pointwise, dense, grouped, norm or se; `features` the channels out, for "se" those of
    the squeeze; the activation of "norm" may be empty. `mode` is one of `DIRECTIONS`; backward gives the
    gradients of all inputs.
    """

    model: str
    op: str
    side: int
    channels: int
    features: int
    kernel: int
    stride: int
    groups: int
    activation: str
    padding: str
    times: int
    mode: str
    batch: int
    dtype: str = "float32"

    @property
    def resolution(self) -> int:
        return self.side

    @property
    def case(self) -> str:
        shape = f"{self.op} {self.side}x{self.side}x{self.channels}"
        if self.op == "norm":
            return f"{shape}{self.activation and f' + {self.activation}'}"
        if self.op == "se":
            return f"{shape} squeeze {self.features}"
        groups = f", {self.groups} groups" if self.op == "grouped" else ""
        out = "" if self.op == "depthwise" else f" to {self.features}"
        return f"{shape}{out}, kernel {self.kernel}, stride {self.stride}{groups}"


@dataclass(frozen=True)
class FirstStep:
    """Trace, compile and run the first training step of a network, each time in a new process."""

    model: str
    batch: int
    resolution: int
    dtype: str = "float32"
    mode: str = "train"

    @property
    def case(self) -> str:
        return "trace + compile + first step"


@dataclass(frozen=True)
class Load:
    """Decode and resize `images` photos of a folder or archive to `resolution`, by `workers` processes.

    The time is that of one image on one core.
    """

    dir: str
    resolution: int
    batch: int
    workers: int
    images: int
    dtype: str = "uint8"
    mode: str = "load"
    model: str = ""

    @property
    def case(self) -> str:
        return f"photos, {self.workers} workers"


@dataclass(frozen=True)
class Parallel:
    """One step of our trainer on `devices` devices; `batch` is over all of them.

    `mode` is "weak scaling" (the batch grows with the devices) or "strong scaling" (it stays).
    """

    model: str
    mode: str
    batch: int
    resolution: int
    devices: int
    dtype: str = "float32"

    @property
    def case(self) -> str:
        return f"{self.devices} device{'s' if self.devices > 1 else ''}"


@dataclass(frozen=True)
class Epoch:
    """A whole process: start, read `dir`, train one epoch with crops and flips, evaluate, end.

    `dir` is an .npz file of images of `resolution` pixels, `images` of them for training.
    """

    model: str
    dir: str
    images: int
    batch: int = 128
    resolution: int = 32
    dtype: str = "float32"
    mode: str = "train"

    @property
    def case(self) -> str:
        return f"process of one epoch, {self.images} images"


Task = Step | Operator | FirstStep | Load | Parallel | Epoch
TASKS = {kind.__name__: kind for kind in (Step, Operator, FirstStep, Load, Parallel, Epoch)}


@dataclass(frozen=True)
class Job:
    """One worker's work: who it is, what it may be asked to time, and on how many cores.

    `cache` is a directory for compiled programs, empty for none.
    """

    contender: str
    tasks: tuple[Task, ...]
    cores: int
    cache: str = ""

    def to_json(self) -> str:
        tasks = [{"kind": type(task).__name__, **dataclasses.asdict(task)} for task in self.tasks]
        return json.dumps({**vars(self), "tasks": tasks})

    @staticmethod
    def from_json(text: str) -> Job:
        fields = json.loads(text)
        return Job(**{**fields, "tasks": tuple(_task(dict(task)) for task in fields["tasks"])})


def _task(fields: dict[str, Any]) -> Task:
    return TASKS[fields.pop("kind")](**fields)
