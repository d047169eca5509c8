"""Rows as a coefficient grid: points (alpha, beta, gamma) at phi = 1, trained for one length, and their base.

A row belongs to the grid whatever command made it, as long as its rule is compound and nothing but the
coefficients, the seed and the length of training differ.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from scaling.laws.ranking import at_macs, exponent
from scaling.reports.curve import drawn, execution_keys, swept, validation
from scaling.reports.study import Study
from scaling.rules.factors import COMPOUND, UNIFORM, Powers, compound_rule
from scaling.runs.rows import Row

# What may differ between the rows of one grid, besides what changes no result
FREE = {"seed", "model.alpha", "model.beta", "model.gamma", "model.phi", "train.duration", "schedule.warmup"}
FREE |= {"schedule.every", "schedule.boundaries"}

Score = Callable[[Row], float | None]


@dataclass(frozen=True)
class Point:
    """One setting of the coefficients and its runs, in order of their seeds."""

    rule: Powers
    rows: tuple[Row, ...]

    @property
    def kind(self) -> str:
        """What the literature calls it: one axis alone, "uniform", the "paper"'s coefficients; else ""."""
        if len(self.rule.axes) == 1:
            return self.rule.axes[0]
        known = {"uniform": UNIFORM, "paper": COMPOUND}
        return next((name for name, rule in known.items() if _same(rule, self.rule)), "")

    @property
    def label(self) -> str:
        """The coefficients and the kind, "(1.2, 1.1, 1.15) paper"."""
        numbers = ", ".join(f"{value:.4g}" for value in _bases(self.rule))
        return f"({numbers}) {self.kind}".rstrip()

    @property
    def macs(self) -> int:
        return self.rows[0].macs

    def scores(self, score: Score) -> list[float]:
        return [value for row in self.rows if (value := score(row)) is not None]


@dataclass(frozen=True)
class CoefficientGrid:
    """All points of one training length, and the runs of the network that they scale (maybe none)."""

    steps: int
    points: tuple[Point, ...]
    base: Point | None

    @property
    def dataset(self) -> str:
        return self.points[0].rows[0].dataset

    @property
    def target(self) -> float:
        """Twice the base's multiply-adds; the points' geometric mean where the base was not trained."""
        if self.base is not None:
            return 2.0 * self.base.macs
        return statistics.geometric_mean(point.macs for point in self.points)

    def named(self, kind: str) -> int | None:
        """The index of the point of that kind; of several, the one that counts nearest the target."""
        found = [i for i, point in enumerate(self.points) if point.kind == kind]
        return min(found, key=lambda i: abs(self.points[i].macs - self.target), default=None)

    def exponent(self, score: Score) -> float | None:
        """The base's own law: the b of error ~ MACs**-b from the base to its points; None without a base."""
        if self.base is None or not (base_scores := self.base.scores(score)):
            return None
        errors = [1 - statistics.fmean(point.scores(score)) for point in self.points if point.scores(score)]
        base_error = 1 - statistics.fmean(base_scores)
        if base_error <= 0 or not errors or min(errors) <= 0:
            return None
        macs = statistics.geometric_mean(point.macs for point in self.points)
        return exponent(self.base.macs, base_error, macs, statistics.geometric_mean(errors))

    def at_target(self, score: Score) -> Score | None:
        """The score as if each network had `target` multiply-adds, by the base's own law."""
        if (b := self.exponent(score)) is None:
            return None

        def corrected(row: Row) -> float | None:
            value = score(row)
            return None if value is None else at_macs(value, row.macs, self.target, b)

        return corrected


def grids_of(study: Study) -> list[CoefficientGrid]:
    """The grids of a study, one a training length, the shortest first; failed runs are left out.

    Raises:
      ValueError: where the rows are of several recipes, or fewer than two points have a result.
    """
    scored = [row for row in drawn(study.rows) if row.spec.model.rule == "compound"]
    scored = [row for row in scored if row.phi in (0.0, 1.0) and validation(row) is not None]
    if others := set(swept(scored)[1]) - FREE - execution_keys():
        raise ValueError(
            f"the rows differ in {', '.join(sorted(others))} besides their coefficients, seeds and lengths: give each "
            "grid a --workdir of its own."
        )
    lengths = sorted({row.steps for row in scored if row.phi == 1.0})
    grids = [_grid([row for row in scored if row.steps == steps], steps) for steps in lengths]
    if not (grids := [grid for grid in grids if len(grid.points) > 1]):
        raise ValueError(
            "a ranking needs two points of the grid with a result, at phi = 1 and of one length: there are "
            f"{len(scored)} scored rows. Run the sweep first."
        )
    return grids


def _grid(rows: Sequence[Row], steps: int) -> CoefficientGrid:
    """Group rows by coefficients; rows at phi = 0 are the base, whatever coefficients they name."""
    found: dict[tuple[float, ...], list[Row]] = {}
    for row in rows:
        model = row.spec.model
        key = (model.alpha, model.beta, model.gamma) if row.phi else ()
        found.setdefault(key, []).append(row)
    base = found.pop((), None)
    points = tuple(_point(compound_rule(*key), same) for key, same in sorted(found.items()))
    return CoefficientGrid(steps, points, None if base is None else _point(compound_rule(1, 1, 1), base))


def _point(rule: Powers, rows: Sequence[Row]) -> Point:
    return Point(rule, tuple(sorted(rows, key=lambda row: row.seed)))


def _bases(rule: Powers) -> tuple[float, float, float]:
    return rule.depth, rule.width, rule.resolution


def _same(a: Powers, b: Powers) -> bool:
    return all(math.isclose(x, y, rel_tol=1e-6) for x, y in zip(_bases(a), _bases(b)))
