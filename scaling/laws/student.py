"""Student's distribution: how far a mean of few scores may lie from the truth."""

from __future__ import annotations

import math

import numpy as np

ANGLES = 20_000  # of the integral below: enough for four digits up to a hundred thousand degrees of freedom


def student_quantile(freedom: float, level: float) -> float:
    """The t that |T| of Student's distribution stays below with probability `level`; freedom at least 1.

    With T = sqrt(freedom) tan(angle) the density of the angle is cos(angle)**(freedom - 1).
    """
    angles = np.linspace(0, math.pi / 2, ANGLES)
    density = np.cos(angles) ** (freedom - 1)
    below = np.cumsum(np.concatenate([[0.0], (density[1:] + density[:-1]) / 2]))
    return math.sqrt(freedom) * math.tan(float(np.interp(level * below[-1], below, angles)))
