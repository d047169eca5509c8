"""What has to be trained for an accuracy of a published table."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from scaling.arch.arch import Arch
from scaling.cost.closed_form import Totals, totals
from scaling.cost.counting import Cost, count
from scaling.runs.spec import RunSpec

# Whether training images are moved or cut
NOT_MOVED = ("augment.crop", ("none",))
MOVED = ("augment.crop", ("pad", "resized"))


@functools.cache
def cost(arch: Arch) -> Totals | Cost:
    """What a network costs: by the closed form where there is one (equal to the walk), else by the walk."""
    return totals(arch) or count(arch)


@dataclass(frozen=True)
class Wanted:
    """A network on a data set.

    `factors` of depth, width and resolution are how a scaled `arch` was got. `where` says what must hold of
    the config: the values that a key may have, (("augment.crop", ("none",)),).
    """

    arch: Arch
    dataset: str
    factors: tuple[float, ...] = ()
    where: tuple[tuple[str, tuple], ...] = ()

    @property
    def base(self) -> str:
        """The zoo's name of the network, which rules extend by what they did."""
        return self.arch.name.partition(" ")[0]

    def is_of(self, base: str, dataset: str, resolution: int, spec: RunSpec) -> bool:
        """Whether a run of the unscaled network `base` by `spec` may be the one, but for its parameters."""
        told = (dataset, resolution) == (self.dataset, self.arch.resolution)
        return (
            told
            and _any_padding(base) == _any_padding(self.base)
            and all(_value(spec, key) in values for key, values in self.where)
        )

    def command(self) -> str:
        """The command that trains it by a recipe of one's own; the factors where it is scaled."""
        overrides = [f"model.name={self.base}", f"data.name={self.dataset}"]
        axes = zip(("depth", "width", "resolution"), self.factors)
        scaled = [f"model.{axis}={factor:.6g}" for axis, factor in axes if factor != 1]
        overrides += ["model.rule=axes", *scaled] if scaled else []
        flags = " ".join(f"--config.{override}" for override in overrides)
        name = self.arch.name.replace(" ", "_")
        return f"python -m experiments.train --config=RECIPE.py {flags} --workdir=runs/{name}"


def _any_padding(name: str) -> str:
    """The name of a network without the prefix that says that it pads as its authors' framework does."""
    return name.removeprefix("tf_")


def _value(spec: RunSpec, key: str):
    section, _, name = key.partition(".")
    return getattr(getattr(spec, section), name)
