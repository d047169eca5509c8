"""Which of some choices give different results: of those that round to the same one the most modest stays."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

from scaling.rules.factors import check_factors

Result = TypeVar("Result", bound=Hashable)


def distinct(setting: str, factors: Sequence[float], result: Callable[[float], Result]) -> dict[int, Result]:
    """By its index, what each factor gives that gives something of its own; nearest 1 comes first.

    ValueError where factors are missing, repeated, or not above 0.
    """
    check_choices(setting, factors)
    for factor in factors:
        check_factors(**{setting: factor})
    found: dict[Result, int] = {}
    for index in sorted(range(len(factors)), key=lambda i: abs(math.log(factors[i]))):
        found.setdefault(result(factors[index]), index)
    return {index: value for value, index in found.items()}


def check_choices(setting: str, values: Sequence) -> None:
    """Raise ValueError where there is no choice, or one stands twice."""
    if not values or len(set(values)) < len(values):
        raise ValueError(f"{setting}={list(values)}: give at least one choice, and each once.")
