"""Small spaces that have everything a space can have, and a table of one of them."""

from __future__ import annotations

import numpy as np
import pytest

from search.core import automaton
from search.core.space import Space
from search.core.table import Table
from search.spaces import nasbench201, nasbench_macro, transnas


def conditional() -> Space:
    """A first decision 0 switches the second off (it is then 0); the third must not repeat the first."""

    def step(first, decision, value):
        if decision == 0:
            return value
        if decision == 1:
            return first if (value == 0) == (first == 0) else None
        return first if value != first else None

    return Space("conditional", automaton.from_rule([3, 4, 3], None, step, lambda state: True))


def scattered() -> Space:
    """Four points, no two of which differ in one decision only."""
    points = [[0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 0]]
    return Space("scattered", automaton.from_points(points))


def mixed() -> Space:
    """All combinations of 2, 3 and 4 values."""
    return Space("mixed", automaton.product([2, 3, 4]))


def ragged() -> Space:
    """Two to four parts of five kinds, padded by 0, no part like the one before."""

    def step(before, decision, value):
        if value == 0:
            return 0 if decision >= 2 else None
        return None if before in (0, value) else value

    return Space("ragged", automaton.from_rule([6] * 4, -1, step, lambda state: True))


SMALL = (conditional(), scattered(), mixed())
SPACES = (*SMALL, ragged())
# All combinations, as `mixed` is, and a larger one of parts, as `ragged` is
BENCHMARKS = (nasbench201.SPACE, nasbench_macro.SPACE, transnas.MICRO, transnas.MACRO)


@pytest.fixture(
    params=[*SPACES, *(pytest.param(space, marks=pytest.mark.nightly) for space in BENCHMARKS)],
    ids=lambda space: space.name,
)
def space(request) -> Space:
    return request.param


@pytest.fixture(
    params=[SMALL[0], *(pytest.param(space, marks=pytest.mark.nightly) for space in SMALL[1:])],
    ids=lambda space: space.name,
)
def small_space(request) -> Space:
    return request.param


@pytest.fixture(scope="session")
def hill() -> Table:
    """A made-up measure of `ragged`: later parts count more, plus noise; "test" has noise of its own."""
    space = ragged()
    points = space.points()
    noise = np.random.default_rng(0).normal(size=(2, len(points)))
    height = points @ np.arange(1, 5)
    return Table(space, {"val": height + noise[0], "test": height + noise[1]})
