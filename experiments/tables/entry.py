"""One figure of a paper beside ours: what was printed, what we get, and why they differ where they do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from experiments.tables import committed, recipes
from experiments.tables.recipes import Recipe
from experiments.tables.wanted import Wanted, cost
from scaling.arch.arch import Arch
from scaling.cost.closed_form import Totals
from scaling.cost.counting import Cost

NOT_IN_ZOO = "not in the zoo"


@dataclass(frozen=True)
class Entry:
    """A cell of a published table.

    `paper` is the figure as printed, with its digits ("" where only ours exists); `ours` a number in the same
    unit, a text, or None where there is none yet; `reason` says why they differ, or what is missing.
    `exact` entries are facts of the network (counts, layer tables); others are accuracies: `runs` are the ids
    of the rows that they come from, `recipe` what would train an empty one.
    """

    row: str
    column: str
    paper: str
    ours: float | str | None
    source: str
    reason: str = ""
    exact: bool = True
    recipe: Recipe | None = None
    runs: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        """Ours, to the digits that the paper prints."""
        if self.ours is None or isinstance(self.ours, str):
            return self.ours or ""
        return f"{self.ours:.{_decimals(self.paper)}f}" if self.paper else f"{self.ours:.4g}"

    @property
    def agrees(self) -> bool:
        """Whether ours, rounded as the paper rounds, equals its figure; true with nothing to compare."""
        return not self.paper or self.ours is None or self.shown == self.paper

    @property
    def difference(self) -> str:
        """Ours minus the paper's, in the unit and in percent of it; "0" where the printed digits agree."""
        if self.ours is None or not self.paper:
            return ""
        if self.agrees:
            return "0"
        if isinstance(self.ours, str):
            return "differs"
        gap, printed = self.ours - float(self.paper), float(self.paper)
        return f"{gap:+.{_decimals(self.paper) + 2}f} ({100 * gap / printed:+.1f} %)"


@dataclass(frozen=True)
class Table:
    """A published table, entry by entry; `note` says what a reader must know of all of it."""

    title: str
    entries: tuple[Entry, ...]
    note: str = ""


def _decimals(printed: str) -> int:
    return len(printed.partition(".")[2])


@dataclass(frozen=True)
class Figure:
    """A column of counts: how the paper calls it, and how ours is got in the paper's unit."""

    column: str
    of: Callable[[Totals | Cost], float]


PARAMS = Figure("params (M)", lambda cost: cost.params / 1e6)
PARAMS_AND_STATISTICS = Figure(
    "params with running statistics (M)", lambda cost: cost.params_with_bn_stats / 1e6
)
GIGA_MACS = Figure("MACs (G)", lambda cost: cost.macs / 1e9)
MEGA_MACS = Figure("MACs (M)", lambda cost: cost.macs / 1e6)
GIGA_FLOPS = Figure("FLOPs, 2 a MAC (G)", lambda cost: 2 * cost.macs / 1e9)


def counted(row: str, figure: Figure, paper: str, arch: Arch | None, source: str, reason: str = "") -> Entry:
    """An entry of a count; without an `arch` the network is not one of ours."""
    if arch is None:
        return Entry(row, figure.column, paper, None, source, reason or NOT_IN_ZOO)
    return Entry(row, figure.column, paper, figure.of(cost(arch)), source, reason)


def trained(
    row: str,
    column: str,
    paper: str,
    arch: Arch | None,
    dataset: str,
    source: str,
    factors: Sequence[float] = (),
    where: Sequence[tuple[str, tuple]] = (),
) -> Entry:
    """An entry of an accuracy, or of an error where the column says so, in percent, from the committed rows.

    `factors` and `where` as `Wanted` has them.
    """
    if arch is None:
        return Entry(row, column, paper, None, source, NOT_IN_ZOO, exact=False)
    wanted = Wanted(arch, dataset, tuple(factors), tuple(where))
    recipe = recipes.find(wanted)
    found = committed.find(wanted, column, examples=recipe.examples if recipe else 0)
    if not found:
        reason = recipe.command if recipe else wanted.command()
        return Entry(row, column, paper, None, source, reason, exact=False, recipe=recipe)
    value = 100 * committed.mean(found, column)
    ours = 100 - value if "error" in column else value
    runs = tuple(row.id for row in found)
    return Entry(row, column, paper, ours, source, committed.describe(found), exact=False, runs=runs)
