"""What is known of an array while a program is walked: its parameter, its layer, what it sees; and what
programs an equation holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Value:
    """What the walk knows of one array.

    `leaf` is the path of the parameter it is a reshaped copy of; `product` the index of the layer
    whose bare output it is; `reach` and `jump` the receptive field and the stride, in pixels, of rows
    and of columns. The field of the first value begins at pixel `start`, below 0 in the padding; a
    `reach` of 0 sees none.
    """

    leaf: tuple[str, ...] | None = None
    product: int | None = None
    reach: tuple[int, int] = (0, 0)
    jump: tuple[int, int] = (1, 1)
    start: tuple[int, int] = (0, 0)

    def at(self, index: int) -> Value:
        """The value of one layer of a stack."""
        if self.leaf is None:
            return replace(self, product=None)
        where = self.leaf.index("blocks") + 1 if "blocks" in self.leaf else len(self.leaf) - 1
        return replace(self, leaf=(*self.leaf[:where], str(index), *self.leaf[where:]))


def leaf_value(path: tuple, leaf: Any) -> Value:
    """The value of one variable; only those of "params" are named."""
    names = tuple(str(getattr(entry, "key", entry)) for entry in path)
    return Value(leaf=names[1:]) if names[0] == "params" else Value()


def largest(values: Sequence[Value]) -> Value:
    """The field that holds those of all values that see a pixel."""
    seeing = [value for value in values if value.reach != (0, 0)]
    if not seeing:
        return Value()
    rows, columns = (_union([(v.start[axis], v.reach[axis]) for v in seeing]) for axis in (0, 1))
    down, right = (max(v.jump[axis] for v in seeing) for axis in (0, 1))
    return Value(reach=(rows[1], columns[1]), jump=(down, right), start=(rows[0], columns[0]))


def _union(spans: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """The (start, length) of what holds all spans."""
    start = min(start for start, _ in spans)
    return start, max(start + length for start, length in spans) - start


def window(value: Value, sides: Sequence[int], strides: Sequence[int], before: Sequence[int]) -> Value:
    """Move the field through a window of `sides` values and strides, behind a padding of `before` values.

    Of rows and columns; anything else than two axes moves nothing.
    """
    if len(sides) != 2 or value.reach == (0, 0):
        return replace(value, product=None)
    reach, start, jump = zip(
        *(
            (r + (side - 1) * j, s - low * j, j * stride)
            for r, s, j, side, low, stride in zip(
                value.reach, value.start, value.jump, sides, before, strides
            )
        )
    )
    return replace(value, product=None, reach=reach, jump=jump, start=start)


def inner_programs(eqn: Any) -> list[Any]:
    """Return the jaxprs that an equation holds: of a call, a loop, the branches of a condition."""
    found = [item for p in eqn.params.values() for item in (p if isinstance(p, tuple | list) else (p,))]
    programs = [getattr(item, "jaxpr", item) for item in found]
    return [program for program in programs if hasattr(program, "eqns")]
