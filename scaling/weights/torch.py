"""Weights in and out as mappings of arrays: a peer's tensors by the peer's names, or ours by our paths."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from flax import traverse_util

from scaling.arch.arch import Sized
from scaling.models.initialize import abstract_variables
from scaling.models.network import build
from scaling.weights.peer_names import places
from scaling.weights.segmentation_names import AUXILIARY

COUNTERS = ("num_batches_tracked",)


def load_torch(arch: Sized, state_dict: Mapping[str, Any]) -> dict[str, Any]:
    """Return {"params", "batch_stats"} of float32 arrays from a peer's tensors.

    `state_dict` maps the peer's names to arrays (NumPy, or CPU tensors); convolutions OIHW, dense
    (out, in). Counters such as num_batches_tracked are ignored, as is the auxiliary classifier of
    torchvision's networks for segmentation. Raises ValueError listing every tensor that is missing, unknown
    or of another shape.
    """
    shapes = shapes_of(arch)
    left = {name for name in state_dict if not name.endswith(COUNTERS) and not name.startswith(AUXILIARY)}
    problems, fitting = [], []
    for place in places(arch, shapes):
        if place.peer not in state_dict:
            problems.append(f"missing {place.peer} for {'/'.join(place.path)}")
            continue
        left.discard(place.peer)
        shape = shapes[place.path] if place.layer is None else shapes[place.path][1:]
        tensor = np.asarray(state_dict[place.peer], np.float32)
        if tensor.ndim == place.axes and tensor.size == math.prod(shape):
            tensor = tensor.reshape(_torch_shape(shape))
        tensor = _from_torch(tensor)
        if tensor.shape != shape:
            problems.append(f"{place.peer} has shape {tensor.shape} in our order, {arch.name} needs {shape}")
            continue
        fitting.append((place, tensor))
    problems += [f"unknown {name}" for name in sorted(left)]
    check_fit(arch, problems)  # before room is made: a file may state a network of any size
    ours = {path: np.zeros(shape, np.float32) for path, shape in shapes.items()}
    for place, tensor in fitting:
        ours[place.path][... if place.layer is None else place.layer] = tensor
    return traverse_util.unflatten_dict(ours)


def load_paths(arch: Sized, tensors: Mapping[str, Any]) -> dict[str, Any]:
    """Return {"params", "batch_stats"} of float32 arrays from our arrays by path.

    A path looks like "params/stem_0/first/conv/kernel". Raises ValueError listing every array that is
    missing, unknown or of another shape.
    """
    check_shapes(arch, {name: np.shape(tensor) for name, tensor in tensors.items()})
    return from_paths(tensors)


def check_shapes(arch: Sized, given: Mapping[str, tuple[int, ...]]) -> None:
    """Raise ValueError listing every path whose array is missing, unknown or of another shape."""
    shapes = {"/".join(path): shape for path, shape in shapes_of(arch).items()}
    problems = [f"missing {name}" for name in shapes if name not in given]
    problems += [f"unknown {name}" for name in sorted(set(given) - set(shapes))]
    for name, shape in shapes.items():
        if name in given and given[name] != shape:
            problems.append(f"{name} has shape {given[name]}, {arch.name} needs {shape}")
    check_fit(arch, problems)


def from_paths(tensors: Mapping[str, Any]) -> dict[str, Any]:
    """Return float32 arrays by path as nested variables; ValueError where one path lies below another."""
    arrays = {tuple(name.split("/")): np.asarray(array, np.float32) for name, array in tensors.items()}
    folders = {path[:i] for path in arrays for i in range(len(path))}
    if clash := sorted(folders & arrays.keys()):
        raise ValueError(
            f"{'/'.join(clash[0])!r} is both an array and a folder of arrays: write the file anew."
        )
    return traverse_util.unflatten_dict(arrays)


def to_paths(variables: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Return our arrays by path; with `load_paths` the identity."""
    flat: dict[str, Any] = traverse_util.flatten_dict(dict(variables), sep="/")
    return {name: np.asarray(leaf) for name, leaf in flat.items()}


def check_fit(arch: Sized, problems: Sequence[str]) -> None:
    """Raise ValueError with all `problems` of fitting tensors to a network, where there are any."""
    if problems:
        raise ValueError(
            f"{len(problems)} tensors do not fit {arch.name} (check the model name and num_classes):\n  "
            + "\n  ".join(problems)
        )


def to_torch(arch: Sized, variables: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Return a peer's tensors by the peer's names; the inverse of `load_torch`."""
    flat = {path: np.asarray(leaf) for path, leaf in traverse_util.flatten_dict(dict(variables)).items()}
    tensors = {}
    for place in places(arch, {path: leaf.shape for path, leaf in flat.items()}):
        leaf = flat[place.path] if place.layer is None else flat[place.path][place.layer]
        tensor = np.ascontiguousarray(_to_torch(leaf))
        if place.axes is not None:
            shape = (*tensor.shape[:2], 1, 1) if place.axes == 4 else (len(tensor), -1)
            tensor = tensor.reshape(shape)
        tensors[place.peer] = tensor
    return tensors


def shapes_of(arch: Sized) -> dict[tuple[str, ...], tuple[int, ...]]:
    """Return the shape of every array of the network's variables by its path, nothing computed."""
    tree = abstract_variables(build(arch), arch.resolution, arch.in_channels)
    flat: dict[Any, Any] = dict(traverse_util.flatten_dict(tree))
    return {path: leaf.shape for path, leaf in flat.items()}


def _torch_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A kernel's shape in PyTorch's order of axes."""
    return (shape[3], shape[2], *shape[:2]) if len(shape) == 4 else shape[::-1]


def _from_torch(tensor: np.ndarray) -> np.ndarray:
    if tensor.ndim == 4:
        return tensor.transpose(2, 3, 1, 0)
    return tensor.T if tensor.ndim == 2 else tensor


def _to_torch(array: np.ndarray) -> np.ndarray:
    if array.ndim == 4:
        return array.transpose(3, 2, 0, 1)
    return array.T if array.ndim == 2 else array
