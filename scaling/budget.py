"""The size of a network nearest a budget: parameters, multiply-adds, activations, or measured time.

A rule's sizes are steps, since widths, depths and resolutions are integers. `solve` returns the step nearest
the budget and says how far off it is; `ladder` does so for several budgets.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from scaling.arch import Arch
from scaling.closed_form import totals
from scaling.counting import count
from scaling.factors import RULES, Coefficients, Powers, Rule, Table
from scaling.measuring import measure
from scaling.rules import coefficients, follow
from scaling.spec import nearest

COUNTED = ("macs", "params", "activations")
FIGURES = (*COUNTED, "step_ms")
REACH = 64.0  # no axis is scaled by more than this, or by less than its inverse
CLOSE = 1e-9  # two values of phi so near stand on the two sides of one step
PROBES = [i / 64 for i in range(-32, 33)]  # of phi, around the target: see `_stepped`
ENOUGH = 0.02  # of a target in milliseconds: a step's time varies by as much


@dataclass(frozen=True)
class Solution:
    """The network nearest a budget, and how near that is.

    `at` is the rule's phi, or the name of its size: `scaling.rules.follow(base, rule, at) == arch`.
    `achieved` is the `figure` (one of `FIGURES`) of `arch`; `step` is the distance between the two sizes
    next to the target on either side, so that |error| <= step / 2. For "step_ms" these are the nearest
    that were measured, and `step` is None where none was on the other side.
    """

    arch: Arch
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


@dataclass(frozen=True)
class _Point:
    """A size of a rule and its figure."""

    at: float | str
    arch: Arch
    value: float


def solve(
    arch: Arch,
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

    `along` is a rule or a name of `scaling.factors.RULES`; sizes are rounded as the architecture's
    `rounding` says. `step_ms` is measured on the device in use, for `batch` images in `mode` ("train" or
    "inference"), at most `measurements` times: the nearest of those is returned. Raises ValueError unless
    exactly one figure is given, for an unknown rule, and for a budget that the rule does not reach, with
    the range that it reaches.
    """
    figure, target = _target(macs=macs, params=params, activations=activations, step_ms=step_ms)
    rule = _rule(along)
    if measurements < 1:
        raise ValueError(f"measurements={measurements} must be at least 1.")
    if figure == "step_ms":
        timed = _Sizes(arch, rule, _Memo(lambda sized: measure(sized, batch, mode).step_ms))
        points = _measured(_Sizes(arch, rule, _Memo(_counter(arch, "macs"))), timed, target, measurements)
    else:
        points = _sizes_near(_Sizes(arch, rule, _Memo(_counter(arch, figure))), target)
    best, step = _nearest(points, target), _step(points, target)
    factors = coefficients(arch, rule, best.at)
    return Solution(best.arch, rule, best.at, factors, figure, target, best.value, step)


def ladder(
    arch: Arch,
    *,
    along: str | Rule = "compound",
    macs: Sequence[float] = (),
    params: Sequence[float] = (),
    activations: Sequence[float] = (),
) -> tuple[Solution, ...]:
    """Return one solution a budget, in the order of the budgets; ValueError as `solve`."""
    figure, targets = _target(macs=macs or None, params=params or None, activations=activations or None)
    return tuple(solve(arch, along=along, **{figure: target}) for target in targets)


def _target(**figures):
    given = {name: value for name, value in figures.items() if value is not None}
    if len(given) != 1:
        raise ValueError(
            f"give exactly one of {', '.join(figures)} as the budget; got {list(given) or 'none'}."
        )
    [(figure, value)] = given.items()
    for target in value if isinstance(value, Sequence) else (value,):
        if not (target > 0 and math.isfinite(target)):
            raise ValueError(f"{figure}={target} must be a finite budget above 0.")
    return figure, value


def _rule(along: str | Rule) -> Rule:
    if isinstance(along, Powers | Table):
        return along
    if along not in RULES:
        raise ValueError(
            f"along={along!r} is no rule{nearest(along, RULES) or '.'} Rules: {', '.join(RULES)}; or give a "
            "scaling.factors.Powers or Table."
        )
    return RULES[along]


def _counter(base: Arch, figure: str) -> Callable[[Arch], float]:
    """Arithmetic where it counts the base as the walk over its program does; else that walk."""
    if (sums := totals(base)) is not None and getattr(sums, figure) == getattr(count(base), figure):
        return lambda arch: getattr(totals(arch), figure)
    return lambda arch: getattr(count(arch), figure)


class _Memo:
    """A figure of architectures, each computed once whatever its name."""

    def __init__(self, compute: Callable[[Arch], float]):
        self.compute = compute
        self.known: dict[tuple, float] = {}

    def __call__(self, arch: Arch) -> float:
        key = _integers(arch)
        if key not in self.known:
            self.known[key] = self.compute(arch)
        return self.known[key]


def _integers(arch: Arch) -> tuple:
    """What rules change."""
    return arch.stem, arch.stages, arch.head, arch.resolution


@dataclass(frozen=True)
class _Sizes:
    """The sizes of a network along a rule, and what they cost."""

    base: Arch
    rule: Rule
    cost: _Memo

    def __call__(self, at: float | str) -> _Point:
        arch = follow(self.base, self.rule, at)
        return _Point(at, arch, self.cost(arch))

    def same(self, a: _Point, b: _Point) -> bool:
        return _integers(a.arch) == _integers(b.arch)

    def span(self) -> tuple[float, float]:
        """The least and the largest phi; the least is 0 where the network cannot be made smaller."""
        assert isinstance(self.rule, Powers)
        bases = [getattr(self.rule, axis) for axis in self.rule.axes]
        if not bases:
            return 0.0, 0.0
        far = math.log(REACH) / max(abs(math.log(base)) for base in bases)
        try:
            follow(self.base, self.rule, -far)
        except ValueError:
            return 0.0, far
        return -far, far


def _sizes_near(sizes: _Sizes, target: float) -> list[_Point]:
    """Sizes among which is the one nearest the target; ValueError where the target is out of reach."""
    if isinstance(sizes.rule, Powers):
        return _stepped(sizes, target)
    points = [sizes(size.name) for size in sizes.rule.sizes]
    _check_reach(sizes, target, points)
    return points


def _nearest(points: Sequence[_Point], target: float) -> _Point:
    """The nearest size; the smaller of two as near."""
    return min(points, key=lambda point: (abs(point.value - target), point.value))


def _step(points: Sequence[_Point], target: float) -> float | None:
    below = [point.value for point in points if point.value <= target]
    above = [point.value for point in points if point.value >= target]
    return min(above) - max(below) if below and above else None


def _stepped(sizes: _Sizes, target: float) -> list[_Point]:
    """The steps next to the target, and steps near it.

    A bisection finds them where the figure only grows with phi. It falls now and then where widths are
    whole groups (RegNet), and at phi = 0, as the base's own sizes are not rounded: so places around are
    looked at too, and from the nearest on every next step that is nearer is taken.
    """
    low, high = _bracket(sizes, target)
    while high.at - low.at > CLOSE * max(1.0, abs(low.at), abs(high.at)):
        middle = sizes((low.at + high.at) / 2)
        low, high = (middle, high) if middle.value <= target else (low, middle)
    least, largest = sizes.span()
    places = [round(64 * low.at) / 64 + probe for probe in PROBES]
    points = [low, high, sizes(0.0), *(sizes(place) for place in places if least <= place <= largest)]
    while True:
        best = _nearest(points, target)
        (left, before), (right, after) = _edge(sizes, best, -1), _edge(sizes, best, 1)
        points += [point for point in (before, after) if point is not None]
        if sizes.same(_nearest(points, target), best):
            return [_neat(sizes, best, left, right), *(p for p in points if not sizes.same(p, best))]


def _bracket(sizes: _Sizes, target: float) -> tuple[_Point, _Point]:
    """Two sizes with the target between them, doubling the distance from the base."""
    least, largest = sizes.span()
    inner, reach = sizes(0.0), 0.5
    sign, end = (1, largest) if inner.value <= target else (-1, -least)
    while True:
        outer = sizes(sign * min(reach, end))
        if sign * (outer.value - target) >= 0:
            return (inner, outer) if sign > 0 else (outer, inner)
        if reach >= end:
            _check_reach(sizes, target, [sizes(least), sizes(largest)])
        inner, reach = outer, 2 * reach


def _check_reach(sizes: _Sizes, target: float, points: Sequence[_Point]) -> None:
    """Raise ValueError, with the reachable range, where the target lies outside of all points."""
    least, largest = (choose(point.value for point in points) for choose in (min, max))
    if least <= target <= largest:
        return
    name, rule = sizes.base.name, sizes.rule.name
    if least == largest:
        raise ValueError(
            f"a budget of {target:.6g} cannot be met: rule {rule!r} leaves this figure of {name} at {least:.6g}. "
            "Choose another rule, or another figure."
        )
    raise ValueError(
        f"a budget of {target:.6g} is out of reach: rule {rule!r} takes {name} from {least:.6g} to {largest:.6g}. "
        "Choose a budget in between, another rule or another base."
    )


def _edge(sizes: _Sizes, point: _Point, sign: int) -> tuple[float, _Point | None]:
    """The last phi of a size in one direction, and the size one step on; None at the end of the rule."""
    least, largest = sizes.span()
    inside, outside, reach = point, None, 1e-3
    while outside is None:
        there = sizes(min(max(point.at + sign * reach, least), largest))
        if not sizes.same(there, point):
            outside = there
        elif there.at in (least, largest):
            return there.at, None
        else:
            inside, reach = there, 2 * reach
    while abs(outside.at - inside.at) > CLOSE * max(1.0, abs(inside.at)):
        middle = sizes((inside.at + outside.at) / 2)
        inside, outside = (middle, outside) if sizes.same(middle, point) else (inside, middle)
    return inside.at, outside


def _neat(sizes: _Sizes, point: _Point, left: float, right: float) -> _Point:
    """The same size at a phi of as few digits as its interval allows."""
    for digits in range(10):
        neat = round((left + right) / 2, digits)
        if left <= neat <= right and sizes.same(found := sizes(neat), point):
            return found
    return point


def _measured(counted: _Sizes, timed: _Sizes, target: float, most: int) -> list[_Point]:
    """Sizes measured on the way to a time: the base, then each where those before point to."""
    points: list[_Point] = []
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


def _at_macs(counted: _Sizes, macs: float) -> _Point:
    rule = counted.rule
    listed = [counted(size.name) for size in rule.sizes] if isinstance(rule, Table) else None
    return _nearest(listed or _stepped(counted, macs), macs)


def _guess(macs: Sequence[float], times: Sequence[float], target: float) -> float:
    """The multiply-adds at a time, a power law through the two measured sizes that are nearest to it."""
    order = sorted(range(len(times)), key=lambda i: abs(math.log(times[i] / target)))
    near, slope = order[0], 1.0
    other_side = [i for i in order[1:] if (times[i] < target) != (times[near] < target)]
    for far in (other_side + order[1:])[:1]:
        if times[far] != times[near]:
            slope = math.log(macs[far] / macs[near]) / math.log(times[far] / times[near])
    return macs[near] * (target / times[near]) ** min(max(slope, 0.5), 3.0)
