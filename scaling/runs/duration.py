"""Lengths of training as text: "30 epochs", "500 steps"."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Duration:
    """A length of training: a number of epochs or of steps."""

    value: float
    unit: str

    @staticmethod
    @functools.lru_cache(maxsize=1024)
    def parse(text: str) -> Duration:
        """Parse "30 epochs", "1 epoch", "2.4 epochs" or "500 steps"."""
        match = re.fullmatch(r"\s*([0-9]*\.?[0-9]+)\s*(epoch|step)s?\s*", str(text))
        if not match:
            raise ValueError(f"duration {text!r} is not understood: write it as '30 epochs' or '500 steps'.")
        return Duration(float(match[1]), match[2])

    def steps(self, steps_per_epoch: int) -> int:
        """The length in steps, rounded to the nearest."""
        return round(self.value * (steps_per_epoch if self.unit == "epoch" else 1))
