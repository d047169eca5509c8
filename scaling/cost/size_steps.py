"""The sizes that a rule reaches, step by step: the ones nearest a figure, and what is next to them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from scaling.arch.arch import Sized
from scaling.rules.factors import Rule, Table
from scaling.rules.scale import apply

REACH = 64.0  # no axis is scaled by more than this, or by less than its inverse
CLOSE = 1e-9  # two values of phi so near stand on the two sides of one step
PROBES = [i / 64 for i in range(-32, 33)]  # of phi, around the target: see `_stepped`


@dataclass(frozen=True)
class Point:
    """A size of a rule and its figure; `at` is a phi, or the name of a published size."""

    at: Any
    arch: Sized
    value: float


class Memo:
    """A figure of architectures, each computed once whatever its name."""

    def __init__(self, compute: Callable[[Any], float]):
        self.compute = compute
        self.known: dict[tuple, float] = {}

    def __call__(self, arch: Sized) -> float:
        key = arch.sizes
        if key not in self.known:
            self.known[key] = self.compute(arch)
        return self.known[key]


@dataclass(frozen=True)
class Sizes:
    """The sizes of a network along a rule, and what they cost."""

    base: Sized
    rule: Rule
    cost: Memo

    def __call__(self, at: float | str) -> Point:
        arch = apply(self.base, self.rule, at)
        return Point(at, arch, self.cost(arch))

    def same(self, a: Point, b: Point) -> bool:
        return a.arch.sizes == b.arch.sizes

    def span(self) -> tuple[float, float]:
        """The least and the largest phi; the least is 0 where the network cannot be made smaller."""
        assert not isinstance(self.rule, Table)
        bases = self.rule.bases
        if not bases:
            return 0.0, 0.0
        far = math.log(REACH) / max(abs(math.log(base)) for base in bases)
        least = max(-far, self.rule.least)
        try:
            apply(self.base, self.rule, least)
        except ValueError:
            return 0.0, far
        return least, far


def sizes_near(sizes: Sizes, target: float) -> list[Point]:
    """Sizes among which is the one nearest the target; ValueError where the target is out of reach."""
    if not isinstance(sizes.rule, Table):
        return _stepped(sizes, target)
    points = [sizes(size.name) for size in sizes.rule.sizes]
    _check_reach(sizes, target, points)
    return points


def nearest(points: Sequence[Point], target: float) -> Point:
    """The nearest size; the smaller of two as near."""
    return min(points, key=lambda point: (abs(point.value - target), point.value))


def step(points: Sequence[Point], target: float) -> float | None:
    """The distance between the figures next to the target; None where all are on one side of it."""
    below = [point.value for point in points if point.value <= target]
    above = [point.value for point in points if point.value >= target]
    return min(above) - max(below) if below and above else None


def _stepped(sizes: Sizes, target: float) -> list[Point]:
    """The steps next to the target, and steps near it.

    A bisection finds them where the figure only grows with phi. It falls at phi = 0 where the base's own
    sizes are not rounded, and now and then where widths are whole groups whose width grows too (RegNet), for
    which places around are looked at as well. From the nearest on, every next step that is nearer is taken.
    """
    low, high = _bracket(sizes, target)
    while high.at - low.at > CLOSE * max(1.0, abs(low.at), abs(high.at)):
        middle = sizes((low.at + high.at) / 2)
        low, high = (middle, high) if middle.value <= target else (low, middle)
    least, largest = sizes.span()
    grouped = any(stage.block.widens_in_steps for stage in sizes.base.stages)
    places = [round(64 * low.at) / 64 + probe for probe in PROBES] if grouped else []
    points = [low, high, sizes(0.0), *(sizes(place) for place in places if least <= place <= largest)]
    while True:
        best = nearest(points, target)
        (left, before), (right, after) = _edge(sizes, best, -1), _edge(sizes, best, 1)
        points += [point for point in (before, after) if point is not None]
        if sizes.same(nearest(points, target), best):
            return [_neat(sizes, best, left, right), *(p for p in points if not sizes.same(p, best))]


def _bracket(sizes: Sizes, target: float) -> tuple[Point, Point]:
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


def _check_reach(sizes: Sizes, target: float, points: Sequence[Point]) -> None:
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


def _edge(sizes: Sizes, point: Point, sign: int) -> tuple[float, Point | None]:
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


def _neat(sizes: Sizes, point: Point, left: float, right: float) -> Point:
    """The same size at a phi of as few digits as its interval allows."""
    for digits in range(10):
        neat = round((left + right) / 2, digits) + 0.0  # never -0.0
        if left <= neat <= right and sizes.same(found := sizes(neat), point):
            return found
    return point
