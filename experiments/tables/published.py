"""Published sizes of the zoo's networks, as libraries print them, from `published.csv`."""

from __future__ import annotations

import csv
import functools
from dataclasses import dataclass
from pathlib import Path

from experiments.tables.conventions import CONVENTIONS
from scaling import zoo
from scaling.arch.arch import Arch
from scaling.cost.closed_form import totals
from scaling.cost.counting import count


@dataclass(frozen=True)
class Size:
    """One printed size: `params` in 10^6, and `macs` in 10^9 by a convention at a side in pixels.

    A figure that is not printed is "". `note` says why ours differ, where they do.
    """

    name: str
    resolution: int
    params: str
    macs: str
    convention: str
    source: str
    note: str

    @property
    def arch(self) -> Arch:
        """The network at the resolution of the figures."""
        return zoo.get(self.name).replace(resolution=self.resolution)

    def ours(self) -> tuple[str, str]:
        """Our params and multiply-adds to the digits that are printed, by the source's convention."""
        params = (totals(self.arch) or count(self.arch)).params / 1e6
        macs = CONVENTIONS[self.convention](self.arch) / 1e9 if self.macs else 0.0
        return _as(self.params, params), _as(self.macs, macs) if self.macs else ""


def agrees(size: Size) -> bool:
    """Whether ours, rounded as printed, are the printed figures."""
    return size.ours() == (size.params, size.macs)


def _as(printed: str, value: float) -> str:
    """A value with the decimals of the printed one."""
    return f"{value:.{len(printed.partition('.')[2])}f}"


@functools.cache
def sizes() -> tuple[Size, ...]:
    """All rows, in the zoo's order of names."""
    with open(Path(__file__).with_name("published.csv")) as file:
        return tuple(
            Size(
                row["name"],
                int(row["resolution"]),
                row["params_m"],
                row["macs_g"],
                row["convention"],
                row["source"],
                row["note"],
            )
            for row in csv.DictReader(file)
        )
