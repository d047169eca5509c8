"""Solving for a budget: no neighbour is nearer, and it is monotone, fast, and clear where it cannot."""

import itertools
import random
import time

import numpy as np
import pytest

import scaling
from scaling import zoo
from scaling.arch.blocks import Block, Conv, Pool, Residual
from scaling.cost import solve as budget
from scaling.cost.closed_form import totals
from scaling.cost.counting import count
from scaling.cost.measuring import Measurement
from scaling.rules.factors import COMPOUND, DEPTH, EFFICIENTNET, RESOLUTION, WIDTH, Powers, dwr
from scaling.rules.scale import apply, scale

MODULAR = (
    "inception",
    "xception",
    "nasnet",
    "cifar_nasnet",
    "pnasnet",
    "amoebanet",
    "cifar_amoebanet",
    "darts",
)
MODULAR += ("cifar_darts", "enas")  # walked: their modules have no closed form
LAST = {zoo.get(name).family: name for name in reversed(zoo.names())}
FAMILIES = {family: name for family, name in LAST.items() if family not in MODULAR}
RULES = (COMPOUND, DEPTH, WIDTH, RESOLUTION, dwr())
B0 = zoo.get("efficientnet_b0")


def sizes(arch):
    return arch.stem, arch.stages, arch.head, arch.resolution


def neighbour(base, rule, solution, sign):
    """The next size in one direction of phi, or None at the end: found by small steps, then halving.

    To 1e-9, not to the last bit: there, sizes that change together change one after the other.
    """
    inside = solution.at
    for k in range(60):
        outside = solution.at + sign * 1e-4 * 1.5**k
        if abs(outside) > 6:
            return None
        try:
            there = apply(base, rule, outside)
        except ValueError:  # a plain chain has no depth below its own
            return None
        if sizes(there) != sizes(solution.arch):
            break
        inside = outside
    while abs(outside - inside) > 1e-9:
        middle = (inside + outside) / 2
        same = sizes(apply(base, rule, middle)) == sizes(solution.arch)
        inside, outside = (middle, outside) if same else (inside, middle)
    return apply(base, rule, outside)


def cases(number):
    """(base, rule, figure, budget) of every third family, then all: half to eight times the base's cost."""
    rng, names = random.Random(0), list(FAMILIES.values())
    for i, name in zip(range(number), itertools.cycle(names[::3] + names[1::3] + names[2::3])):
        base, rule = zoo.get(name), RULES[(i + i // len(FAMILIES)) % len(RULES)]
        # Resolution moves no parameter of most networks; VGG's least depth is its own
        figure = rng.choice(("macs", "activations") if rule == RESOLUTION else budget.COUNTED)
        start = getattr(totals(base), figure)
        yield base, rule, figure, start * 2 ** rng.uniform(0.0 if rule == DEPTH else -0.7, 3.0)


def smallest() -> list:
    """The network of fewest layers of each family; those whose kinds of block another one has are nightly."""
    names = [min(zoo.names(family), key=lambda name: zoo.get(name).depth) for family in FAMILIES]
    archs = {name: zoo.get(name) for name in sorted(names, key=lambda name: -zoo.get(name).depth)}
    chained = {Conv, Pool}
    kinds = {frozenset(type(s.block) for s in a.stem + a.stages) - chained: n for n, a in archs.items()}
    return [pytest.param(n, marks=() if n in kinds.values() else pytest.mark.nightly) for n in names]


@pytest.mark.representatives(8)
@pytest.mark.parametrize("odd", [True, pytest.param(False, marks=pytest.mark.exhaustive)])
@pytest.mark.parametrize("name", smallest())
def test_arithmetic_equals_the_walk_over_the_network(name, odd):
    arch = zoo.get(name)
    if odd:
        arch = scale(arch, depth=1.5, width=1.3).replace(resolution=arch.resolution + 13)
    walked, sums = count(arch), totals(arch)
    figures = ("params", "batch_stats", "macs", "activations")
    assert [getattr(sums, f) for f in figures] == [getattr(walked, f) for f in figures]


def test_a_block_without_a_closed_form_is_walked(monkeypatch):
    base = zoo.get("cifar_resnet20")
    exact = budget.solve(base, macs=6e7, along="width")
    monkeypatch.setattr(Residual, "cost", Block.cost)
    assert totals(base) is None
    walked = budget.solve(base, macs=6e7, along="width")
    assert (walked.arch, walked.achieved) == (exact.arch, exact.achieved)


@pytest.mark.parametrize(
    "number", [pytest.param(10, marks=pytest.mark.nightly), pytest.param(100, marks=pytest.mark.exhaustive)]
)
def test_random_budgets_are_met_by_the_nearest_size(number):
    for base, rule, figure, target in cases(number):
        label = f"{base.name} {rule.name} {figure}={target:.6g}"
        try:
            solution = budget.solve(base, along=rule, **{figure: target})
        except ValueError as error:
            assert "out of reach" in str(error) or "cannot be met" in str(error), label
            continue
        assert getattr(totals(solution.arch), figure) == solution.achieved, label
        assert sizes(apply(base, rule, solution.at)) == sizes(solution.arch), label
        assert solution.step is not None and abs(solution.error) <= solution.step / 2, label
        for sign in (-1, 1):
            beside = neighbour(base, rule, solution, sign)
            if beside is not None:
                assert abs(getattr(totals(beside), figure) - target) >= abs(solution.error), label


@pytest.mark.representatives(1)
@pytest.mark.parametrize(
    "name",
    [
        "efficientnet_b0",
        "cifar_resnet20",
        *(pytest.param(name, marks=pytest.mark.nightly) for name in ("regnetx_032", "densenet121")),
    ],
)
@pytest.mark.parametrize("rule", [COMPOUND, WIDTH], ids=lambda rule: rule.name)
def test_a_larger_budget_never_gives_less(name, rule):
    base = zoo.get(name)
    start = totals(base).macs
    solved = [budget.solve(base, along=rule, macs=start * 2 ** (i / 7)).achieved for i in range(-3, 11, 2)]
    assert solved == sorted(solved)


def test_the_figure_of_a_size_gives_that_size_back():
    for along, at in ((COMPOUND, 1.7), (DEPTH, -0.5), (EFFICIENTNET, "b4")):
        sized = apply(B0, along, at)
        solution = scaling.solve(B0, along=along, macs=totals(sized).macs)
        assert solution.error == 0 and sizes(solution.arch) == sizes(sized)


def test_a_detector_shrinks_as_far_as_its_rule_goes():
    base = scaling.get("efficientdet_d0").replace(resolution=128)
    target = totals(base).macs / 2
    solution = scaling.solve(base, along="efficientdet", macs=target)
    assert -4 < solution.at < 0 and abs(solution.error) <= solution.step / 2
    assert solution.achieved == totals(solution.arch).macs
    with pytest.raises(ValueError, match="out of reach"):
        scaling.solve(base, along="efficientdet", macs=1)


@pytest.mark.nightly
def test_fifty_solves_take_seconds():
    start = time.process_time()
    for i in range(50):
        scaling.solve(B0, macs=2e8 + i * 1e8, along=("compound", "depth", "width", "resolution")[i % 4])
    assert time.process_time() - start < 30


def test_table_7_at_equal_multiply_adds():
    """arXiv 1905.11946 Table 7 compares unequal budgets; at compound's 1.83 G single axes go further."""
    budgets = {
        along: scaling.solve(B0, macs=1.827e9, along=along) for along in ("depth", "width", "resolution")
    }
    factors = {along: getattr(solution.coefficients, along) for along, solution in budgets.items()}
    assert factors["depth"] > 4 and factors["width"] > 2 and factors["resolution"] > 2
    assert all(abs(solution.relative_error) < 0.04 for solution in budgets.values())


def test_a_ladder_is_one_solution_a_budget():
    rungs = (2e8, 8e8, 3.2e9)
    solved = scaling.ladder(B0, macs=rungs, along="dwr")
    assert [solution.target for solution in solved] == list(rungs)
    assert solved[1] == scaling.solve(B0, macs=8e8, along="dwr")
    for listed in (list(rungs), np.array(rungs), iter(rungs)):
        assert scaling.ladder(B0, macs=listed, params=None, along="dwr") == solved


@pytest.mark.parametrize(
    ("macs", "message"),
    [
        (4e7, r"macs=40000000\.0 must be a list of budgets"),
        ("4e7", "macs='4e7' must be a list of budgets"),
        ([4e8, "4e7"], "macs='4e7' must be a number"),
        ([4e8, -1.0], r"macs=-1\.0 must be a finite budget above 0"),
        (np.array([]), "give exactly one of macs, params, activations as the budget; got none"),
    ],
)
def test_what_is_no_ladder_says_why(macs, message):
    with pytest.raises(ValueError, match=message):
        scaling.ladder(B0, macs=macs)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"macs": 1e3}, "out of reach.* takes efficientnet_b0 from .* to "),
        ({"params": 5e6, "along": "resolution"}, "cannot be met.*leaves"),
        ({"macs": 1e12, "along": "efficientnet"}, "out of reach"),
        ({"macs": [4e7]}, r"macs=\[40000000\.0\] must be a number"),
        ({"macs": np.array([4e7, 8e7])}, "macs=array.* must be a number"),
        ({"macs": "4e7"}, "macs='4e7' must be a number"),
        ({"macs": 0}, "macs=0 must be a finite budget above 0"),
        ({}, "exactly one of macs, params, activations, step_ms"),
        ({"macs": 1e9, "params": 1e6}, "exactly one"),
        ({"macs": 1e9, "along": "widht"}, "did you mean 'width'"),
        ({"step_ms": 5.0, "measurements": 0}, "measurements=0"),
    ],
)
def test_what_cannot_be_met_says_why(arguments, message):
    with pytest.raises(ValueError, match=message):
        scaling.solve(B0, **arguments)


def test_a_network_that_cannot_shrink_says_where_its_depth_begins():
    with pytest.raises(ValueError, match="out of reach"):
        scaling.solve(zoo.get("lenet5"), macs=1e5, along="depth")


@pytest.mark.parametrize("overhead", [0.0, 4.0])
def test_a_time_is_measured_until_it_is_near(monkeypatch, overhead):
    asked = []

    def measure(arch, batch, mode):
        asked.append(arch)
        return Measurement(mode, batch, overhead + totals(arch).macs / 1e8, 0.0, 0, "none")

    monkeypatch.setattr(budget, "measure", measure)
    solution = scaling.solve(B0, step_ms=20.0, along="compound")
    assert abs(solution.relative_error) < 0.03 and len(asked) <= 6  # steps there are up to 5 % apart
    assert solution.figure == "step_ms" and sizes(solution.arch) in map(sizes, asked)
    assert scaling.solve(B0, step_ms=20.0, measurements=1).achieved == overhead + totals(B0).macs / 1e8


def test_a_rule_of_ones_moves_nothing():
    with pytest.raises(ValueError, match="cannot be met"):
        scaling.solve(B0, macs=1e9, along=Powers("still"))
