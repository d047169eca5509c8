"""The size of a network nearest a budget: parameters, multiply-adds, activations, or measured time.

A rule's sizes are steps, since widths, depths and resolutions are integers. `solve` returns the step nearest
the budget and says how far off it is; `ladder` does so for several budgets.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from scaling.arch.arch import Sized
from scaling.border import typed as border
from scaling.cost.closed_form import totals
from scaling.cost.counting import count
from scaling.cost.measuring import measure
from scaling.cost.size_steps import Memo, Point, Sizes, nearest, sizes_near, step
from scaling.rules.factors import RULES, Coefficients, Rule, Table
from scaling.rules.scale import coefficients

COUNTED = ("macs", "params", "activations")
FIGURES = (*COUNTED, "step_ms")
ENOUGH = 0.02  # of a target in milliseconds: a step's time varies by as much


@dataclass(frozen=True)
class Solution:
    """The network nearest a budget, and how near that is.

    `at` is the rule's phi, or the name of its size: `scaling.rules.scale.apply(base, rule, at) == arch`.
    `achieved` is the `figure` (one of `FIGURES`) of `arch`; `step` is the distance between the two sizes
    next to the target on either side, so that |error| <= step / 2. For "step_ms" these are the nearest
    that were measured, and `step` is None where none was on the other side.
    """

    arch: Sized
    rule: Rule
    at: float | str
    coefficients: Coefficients
    figure: str
    target: float
    achieved: float
    step: float | None

    @property
    def error(self) -> float:
        """What rounding to integers costs: achieved minus target, in the figure's unit."""
        return self.achieved - self.target

    @property
    def relative_error(self) -> float:
        return self.error / self.target


def solve(
    arch: Sized,
    *,
    along: str | Rule = "compound",
    macs: float | None = None,
    params: float | None = None,
    activations: float | None = None,
    step_ms: float | None = None,
    batch: int = 8,
    mode: str = "train",
    measurements: int = 6,
) -> Solution:
    """Return the size of `arch` along a rule whose one given figure is nearest the target.

    `along` is a rule or a name of `scaling.rules.factors.RULES`; sizes are rounded as the architecture's
    `rounding` says. `step_ms` is measured on the device in use, for `batch` images in `mode` ("train" or
    "inference"), at most `measurements` times: the nearest of those is returned. Raises ValueError unless
    exactly one figure is given, for an unknown rule, and for a budget that the rule does not reach, with
    the range that it reaches.
    """
    figure, target = _given(macs=macs, params=params, activations=activations, step_ms=step_ms)
    target = _budget(figure, target)
    rule = _rule(along)
    if measurements < 1:
        raise ValueError(f"measurements={measurements} must be at least 1.")
    if figure == "step_ms":
        timed = Sizes(arch, rule, Memo(lambda sized: measure(sized, batch, mode).step_ms))
        points = _measured(Sizes(arch, rule, Memo(_counter(arch, "macs"))), timed, target, measurements)
    else:
        points = sizes_near(Sizes(arch, rule, Memo(_counter(arch, figure))), target)
    best = nearest(points, target)
    factors = coefficients(arch, rule, best.at)
    return Solution(best.arch, rule, best.at, factors, figure, target, best.value, step(points, target))


def ladder(
    arch: Sized,
    *,
    along: str | Rule = "compound",
    macs: Iterable[float] = (),
    params: Iterable[float] = (),
    activations: Iterable[float] = (),
) -> tuple[Solution, ...]:
    """Return one solution a budget, in the order of the budgets; ValueError as `solve`."""
    listed = {"macs": _budgets("macs", macs), "params": _budgets("params", params)}
    figure, targets = _given(**listed, activations=_budgets("activations", activations))
    return tuple(solve(arch, along=along, **{figure: target}) for target in targets)


def _given(**figures: Any) -> tuple[str, Any]:
    """The one figure that is given, and its budget or budgets."""
    given = {name: value for name, value in figures.items() if value is not None}
    if len(given) != 1:
        raise ValueError(
            f"give exactly one of {', '.join(figures)} as the budget; got {list(given) or 'none'}."
        )
    [found] = given.items()
    return found


def _budgets(figure: str, values: Any) -> tuple[float, ...] | None:
    """The budgets of a ladder, all of them checked before any is solved; None where there are none."""
    if values is None:
        return None
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise ValueError(  # noqa: TRY004 - as for any other budget
            f"{figure}={values!r} must be a list of budgets: a single one is for `scaling.solve`."
        )
    return tuple(_budget(figure, value) for value in values) or None


def _budget(figure: str, value: Any) -> float:
    """A budget as a number; ValueError where it is none, or not finite and above 0."""
    try:
        if value > 0 and math.isfinite(value):
            return value
    except (TypeError, ValueError):  # text, a list or an array
        raise ValueError(
            f"{figure}={value!r} must be a number: several budgets are for `scaling.ladder`."
        ) from None
    raise ValueError(f"{figure}={value} must be a finite budget above 0.")


def _rule(along: str | Rule) -> Rule:
    if isinstance(along, Rule):
        return along
    if along not in RULES:
        raise ValueError(
            f"along={along!r} is no rule{border.nearest(along, RULES) or '.'} Rules: {', '.join(RULES)}; or give a "
            "scaling.rules.factors.Powers, Table or Detectors."
        )
    return RULES[along]


def _counter(base: Sized, figure: str) -> Callable[[Any], float]:
    """Arithmetic where it counts the base as the walk over its program does; else that walk."""
    if (sums := totals(base)) is not None and getattr(sums, figure) == getattr(count(base), figure):
        return lambda arch: getattr(totals(arch), figure)
    return lambda arch: getattr(count(arch), figure)


def _measured(counted: Sizes, timed: Sizes, target: float, most: int) -> list[Point]:
    """Sizes measured on the way to a time: the base, then each where those before point to."""
    points: list[Point] = []
    macs: list[float] = []
    guess = counted.cost(counted.base)
    while len(points) < most:
        try:
            near = _at_macs(counted, guess)
        except ValueError as error:
            tried = ", ".join(f"{point.value:.4g} ms at {point.arch.name}" for point in points)
            raise ValueError(f"step_ms={target:.6g} is out of reach after {tried}: {error}") from error
        if near.value in macs:
            break
        points.append(timed(near.at))
        macs.append(near.value)
        if abs(points[-1].value - target) <= ENOUGH * target:
            break
        guess = _guess(macs, [point.value for point in points], target)
    return points


def _at_macs(counted: Sizes, macs: float) -> Point:
    rule = counted.rule
    listed = [counted(size.name) for size in rule.sizes] if isinstance(rule, Table) else None
    return nearest(listed or sizes_near(counted, macs), macs)


def _guess(macs: Sequence[float], times: Sequence[float], target: float) -> float:
    """The multiply-adds at a time, a power law through the two measured sizes that are nearest to it."""
    order = sorted(range(len(times)), key=lambda i: abs(math.log(times[i] / target)))
    near, slope = order[0], 1.0
    other_side = [i for i in order[1:] if (times[i] < target) != (times[near] < target)]
    for far in (other_side + order[1:])[:1]:
        if times[far] != times[near]:
            slope = math.log(macs[far] / macs[near]) / math.log(times[far] / times[near])
    return macs[near] * (target / times[near]) ** min(max(slope, 0.5), 3.0)
