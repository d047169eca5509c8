"""Magnitude pruning of kernels (arXiv 1506.02626), by layers or over the whole network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import jax
import numpy as np
from flax import traverse_util

SCOPES = LAYER, GLOBAL = "layer", "global"
KERNEL, STACKED = "kernel", "blocks"  # a leaf of weights; a module whose arrays hold equal layers stacked


def prune(variables: Mapping[str, Any], density: float, scope: str = LAYER) -> dict[str, Any]:
    """Return the variables with all but a share `density` of the kernels' largest weights set to 0.

    `scope` "layer" keeps that share of each layer, "global" of all kernels together. Biases, norms and
    statistics stay. ValueError for a density outside (0, 1].
    """
    if not 0 < density <= 1:
        raise ValueError(f"density={density} must be above 0 and at most 1, the share of weights that stay.")
    flat: dict[Any, Any] = dict(traverse_util.flatten_dict(jax.tree.map(np.array, dict(variables))))
    kernels = {path: flat[path] for path in flat if path[-1] == KERNEL}
    if scope == GLOBAL:
        least = _least(np.concatenate([kernel.ravel() for kernel in kernels.values()]), density)
        pruned = {path: np.where(np.abs(kernel) >= least, kernel, 0) for path, kernel in kernels.items()}
    else:
        pruned = {path: _pruned(kernel, STACKED in path, density) for path, kernel in kernels.items()}
    return traverse_util.unflatten_dict({**flat, **pruned})


def density_of(variables: Mapping[str, Any]) -> float:
    """The share of the kernels' weights that are not 0."""
    flat: dict[Any, Any] = dict(traverse_util.flatten_dict(dict(variables)))
    kernels = [np.asarray(leaf) for path, leaf in flat.items() if path[-1] == KERNEL]
    return sum(np.count_nonzero(kernel) for kernel in kernels) / sum(kernel.size for kernel in kernels)


def schedule(density: float, rounds: int) -> Iterator[float]:
    """Yield the density after each round: what is cut shrinks with the cube of what is left of the way.

    Source: arXiv 1710.01878 section 3.
    """
    for i in range(1, rounds + 1):
        yield density + (1 - density) * (1 - i / rounds) ** 3


def _pruned(kernel: np.ndarray, stacked: bool, density: float) -> np.ndarray:
    layers = kernel if stacked else kernel[None]
    kept = [np.where(np.abs(layer) >= _least(layer, density), layer, 0) for layer in layers]
    return np.stack(kept) if stacked else kept[0]


def _least(weights: np.ndarray, density: float) -> float:
    """The smallest magnitude among the share of the largest."""
    sizes = np.abs(weights).ravel()
    kept = max(1, round(density * sizes.size))
    return np.partition(sizes, sizes.size - kept)[sizes.size - kept]
