"""Which config trains a row of a published table, and how long that takes."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments import cli
from experiments.tables.wanted import Wanted, cost
from scaling import zoo
from scaling.arch.arch import Arch
from scaling.cost.measuring import measure
from scaling.runs.duration import Duration
from scaling.runs.resolve import resolve
from scaling.runs.spec import RunSpec
from scaling.sweeps.expand import trials
from scaling.training.phases import training_flops

# Classes, channels and training images of the sets that papers' rows are of, as TFDS catalogues them
SETS = {
    "mnist": (10, 1, 60_000),
    "fashion_mnist": (10, 1, 60_000),
    "cifar10": (10, 3, 50_000),
    "cifar100": (100, 3, 50_000),
    "imagenet2012": (1000, 3, 1_281_167),
}
# The network and batch whose step is measured for all that do more; what does less is measured itself
MEASURED, BATCH = "cifar_resnet20", 128


@dataclass(frozen=True)
class Recipe:
    """One run of a config: the config as --config takes it, what is overridden, and what comes of both."""

    config: str
    overrides: Mapping[str, Any]
    spec: RunSpec
    arch: Arch

    @property
    def flags(self) -> list[str]:
        return [f"--config={self.config}", *(f"--config.{k}={v}" for k, v in self.overrides.items())]

    @property
    def steps_per_epoch(self) -> int:
        images = SETS[self.spec.data.name][2] * (1 - self.spec.data.validation_fraction)
        return max(1, int(images) // self.spec.train.batch)

    @property
    def examples(self) -> int:
        """How many training images a whole run sees, each as often as it is drawn."""
        train = self.spec.train
        return Duration.parse(train.duration).steps(self.steps_per_epoch) * train.batch

    @property
    def flops(self) -> float:
        """Of the whole training, from the config's length and the size of its set."""
        return training_flops(self.arch, self.spec, self.steps_per_epoch)

    @property
    def seconds(self) -> float:
        """Of the whole training on this machine, at the rate of one measured step."""
        batch = self.spec.train.batch
        small = cost(self.arch).macs * batch < cost(zoo.get(MEASURED)).macs * BATCH
        return self.flops / (flops_a_second(self.arch, batch) if small else flops_a_second())

    @property
    def command(self) -> str:
        return f"python -m experiments.train {' '.join(self.flags)} --workdir=runs/{self.arch.name}"

    def trains(self, wanted: Wanted) -> bool:
        """Whether its row would stand in the table: it is of the network, the set and the settings wanted."""
        name, data = self.arch.name.partition(" ")[0], self.spec.data.name
        return wanted.is_of(name, data, self.arch.resolution, self.spec) and (
            self.arch == wanted.arch or cost(self.arch).params == cost(wanted.arch).params
        )


def find(wanted: Wanted) -> Recipe | None:
    """The config that trains a row, the longest of several; None where there is none."""
    return max((one for one in all_recipes() if one.trains(wanted)), key=lambda one: one.flops, default=None)


@functools.cache
def all_recipes(configs: Path = cli.INSTALLED) -> tuple[Recipe, ...]:
    """Every run of every config on one of `SETS`, those that differ in their seed once."""
    found = {}
    for path in sorted(configs.glob("[!_]*.py")):
        for argument in getattr(cli.read_module(str(path)), "ARGUMENTS", ("",)):
            behind = f":{argument}" if argument else ""
            config = cli.read_config(f"{path}{behind}")
            if config.get("data", {}).get("name") in SETS and "search" not in config:
                sweep = cli.read_function(f"{path}{behind}", "get_sweep") or (lambda: [{}])
                for recipe in _recipes(f"configs/{path.name}{behind}", RunSpec.from_config(config), sweep()):
                    found.setdefault(tuple(recipe.flags), recipe)
    return tuple(found.values())


def _recipes(name: str, spec: RunSpec, sweep: Any) -> list[Recipe]:
    made = []
    for trial in trials(spec, sweep)[0]:
        overrides = {key: value for key, value in trial.overrides.items() if key != "seed"}
        arch, _ = resolve(trial.spec.model, *SETS[trial.spec.data.name][:2])
        if isinstance(arch, Arch):
            made.append(Recipe(name, overrides, trial.spec, arch))
    return made


@functools.cache
def flops_a_second(arch: Arch | None = None, batch: int = BATCH) -> float:
    """Training FLOPs a second of this machine, by one measured step of a network (None: of `MEASURED`)."""
    arch = arch or zoo.get(MEASURED)
    return 6 * cost(arch).macs * batch / (measure(arch, batch).step_ms / 1e3)
