"""Robust fits of e_inf + exp(log_a - b * log_x) to many samples at once, in plain NumPy.

Levenberg-Marquardt within bounds on the log residuals under a soft-L1 loss. A bootstrap of 200 fits is
one call of milliseconds; `scipy.optimize.least_squares` gives the same minima one by one (a test says so).
"""

from __future__ import annotations

import numpy as np

ITERATIONS = 80
# A fit has converged after so many steps in a row that gained less than this part of its loss.
IDLE_STEPS, LEAST_GAIN = 4, 1e-9
# Log residuals beyond this (35 %) count linearly, not squared.
ROBUST_SCALE = 0.3
MAX_EXPONENT = 5.0


def evaluate(theta_s3: np.ndarray, log_x: np.ndarray) -> np.ndarray:
    """The errors [sample, x] of rows theta = (e_inf, log_a, b)."""
    e_inf, log_a, b = (theta_s3[:, i, None] for i in range(3))
    return e_inf + np.exp(log_a - b * log_x)


def solve(
    log_x: np.ndarray, log_y_sn: np.ndarray, start_s3: np.ndarray, free_asymptote: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Fit each sample from its start; return theta [sample, 3] and its loss [sample].

    0 <= e_inf <= the largest error (0 without `free_asymptote`), 0 <= b <= `MAX_EXPONENT`.
    """
    low = np.array([0.0, -50.0, 0.0])
    high = np.tile([0.0, 10.0, MAX_EXPONENT], (len(start_s3), 1))
    if free_asymptote:
        high[:, 0] = np.exp(log_y_sn.max(1))
    theta = np.clip(start_s3, low, high)
    loss = _loss(theta, log_x, log_y_sn)
    damping, idle = np.full(len(theta), 1e-3), np.zeros(len(theta), int)
    for _ in range(ITERATIONS):
        if (idle >= IDLE_STEPS).all():
            break
        gradient, curvature = _expand(theta, log_x, log_y_sn)
        stuck = ((theta <= low) & (gradient > 0)) | ((theta >= high) & (gradient < 0))
        tried = np.clip(theta + _step(gradient, curvature, stuck, damping), low, high)
        tried_loss = _loss(tried, log_x, log_y_sn)
        better = tried_loss < loss
        idle = np.where(loss - tried_loss > LEAST_GAIN * loss, 0, idle + 1)
        theta = np.where(better[:, None], tried, theta)
        loss = np.where(better, tried_loss, loss)
        damping = np.clip(damping * np.where(better, 0.2, 5.0), 1e-9, 1e9)
    return theta, loss


def _residual(theta: np.ndarray, log_x: np.ndarray, log_y: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(evaluate(theta, log_x), 1e-300)) - log_y


def _loss(theta: np.ndarray, log_x: np.ndarray, log_y: np.ndarray) -> np.ndarray:
    scaled = _residual(theta, log_x, log_y) / ROBUST_SCALE
    return (np.sqrt(1 + scaled**2) - 1).sum(1)


def _expand(theta: np.ndarray, log_x: np.ndarray, log_y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gradient [s, 3] and Gauss-Newton curvature [s, 3, 3] of the loss, up to one factor."""
    residual = _residual(theta, log_x, log_y)
    weight = 1 / np.sqrt(1 + (residual / ROBUST_SCALE) ** 2)
    power = np.exp(theta[:, 1, None] - theta[:, 2, None] * log_x)
    slopes_skn = np.stack([np.ones_like(power), power, -power * log_x], 1)
    slopes_skn /= np.maximum(theta[:, 0, None] + power, 1e-300)[:, None]
    weighted = slopes_skn * weight[:, None]
    return (weighted @ residual[..., None])[..., 0], weighted @ slopes_skn.swapaxes(1, 2)


def _step(gradient: np.ndarray, curvature: np.ndarray, stuck: np.ndarray, damping: np.ndarray) -> np.ndarray:
    """The damped step of the parameters that no bound holds back."""
    free = ~stuck
    system = curvature * (free[:, :, None] & free[:, None, :])
    diagonal = np.einsum("sii->si", system)
    diagonal[...] = np.where(free, diagonal * (1 + damping[:, None]) + 1e-12, 1.0)
    return -np.linalg.solve(system, (gradient * free)[..., None])[..., 0]
