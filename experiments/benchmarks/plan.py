"""What a benchmark run is made of, as values: the machine, the command line, the races of a section."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from experiments.benchmarks.tasks import Task


@dataclass(frozen=True)
class Machine:
    """What is measured on: JAX's backend, its devices and their kind, the processor's name, usable cores.

    `native` says whether our C++ kernels are built, and so in use.
    """

    backend: str
    device_kind: str
    processor: str
    cores: int
    native: bool = False
    devices: int = 1

    @property
    def has_gpu(self) -> bool:
        return self.backend == "gpu"

    @property
    def dtype(self) -> str:
        return "bfloat16" if self.has_gpu else "float32"


@dataclass(frozen=True)
class Options:
    """The command line. `models` empty means each section's own; `limit` is seconds a command."""

    only: tuple[str, ...]
    models: tuple[str, ...] = ()
    repeats: int = 7
    quick: bool = False
    out: Path | None = None
    data: str = ""
    limit: float = 600.0


@dataclass(frozen=True)
class Group:
    """Tasks on which the same contenders race, ours first.

    `fresh` runs each round in a new process; `unit` is what is compared, "s" or "bytes".
    """

    section: str
    tasks: tuple[Task, ...]
    contenders: tuple[str, ...]
    fresh: bool = False
    warmups: int = 1
    unit: str = "s"


@dataclass(frozen=True)
class Skipped:
    """A group that cannot run, and why, in one line."""

    section: str
    line: str
