"""Widths as integers: the arithmetic that rules, blocks and modules share."""

from __future__ import annotations

ULP = 1e-9  # factors such as 1.1**2 / 1.21 sit an ulp beside the number they stand for


def round_width(width: float, divisor: int, keep: float = 0.0) -> int:
    """Return the nearest multiple of `divisor` (halves up, at least one), not below keep * width."""
    rounded = max(divisor, int(width + divisor / 2 + ULP) // divisor * divisor)
    return rounded + divisor if rounded < keep * width else rounded
