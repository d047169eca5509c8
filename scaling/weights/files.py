"""Weights as .safetensors files; those we write state their network and preprocessing, and load alone."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from scaling.arch.arch import Sized, from_record
from scaling.border.files import parse_json
from scaling.border.typed import nearest
from scaling.weights.compressed import compressed, expanded, stated_shapes
from scaling.weights.preprocessing import Preprocessing
from scaling.weights.torch import check_shapes, from_paths, load_paths, load_torch, to_paths, to_torch

# Keys of the file's metadata, text each; "format" is what PyTorch's loaders look for.
NAMES, ARCH = "jax_compound.names", "jax_compound.arch"
PREPROCESSING, CLASSES = "jax_compound.preprocessing", "jax_compound.classes"
BITS = "jax_compound.bits"  # of a code of a shared value, where kernels are compressed
SCHEMES = {"ours": {"format": "flax"}, "peer": {"format": "pt"}}


class Weights(NamedTuple):
    """A network, its variables (float32 NumPy), how pictures become its input (None: not known), its classes.

    `classes` are the names in the order of the outputs; empty where they are not known.
    """

    arch: Sized
    variables: dict[str, Any]
    preprocessing: Preprocessing | None
    classes: tuple[str, ...] = ()


def save(
    path: str | os.PathLike[str],
    arch: Sized,
    variables: Mapping[str, Any],
    preprocessing: Preprocessing | None = None,
    classes: Sequence[str] = (),
    names: str = "ours",
    bits: int | None = None,
) -> None:
    """Write a network with its variables so that `load(path)` needs nothing else.

    Arrays are named "ours" ("params/stem_0/first/conv/kernel", channels last) or as the "peer" of
    `arch.weights` has them (PyTorch's layout). `classes` names the outputs but a background. With `bits`
    kernels are compressed (`scaling.weights.compressed`): the weights of each are rounded to 2**bits shared
    values, and what is 0 costs nearly nothing. The file appears whole or not at all. ValueError listing every
    array that does not fit `arch`, or where `arch` has no peer.
    """
    if names not in SCHEMES:
        raise ValueError(
            f"names={names!r} must be one of {', '.join(SCHEMES)}{nearest(names, SCHEMES) or '.'}"
        )
    outputs = arch.num_classes - getattr(getattr(arch, "head", None), "background", False)
    if classes and len(classes) != outputs:
        raise ValueError(f"{arch.name} has {outputs} outputs, not {len(classes)}: name each or none.")
    if names == "peer" and not arch.weights:
        raise ValueError(f"{arch.name} has no peer whose names could be written: take names=ours.")
    tensors = to_paths(variables)
    load_paths(arch, tensors)
    if names == "peer":
        tensors = to_torch(arch, variables)
    metadata = {**SCHEMES[names], NAMES: names, ARCH: arch.to_json()}
    if bits is not None:
        if names == "peer":
            raise ValueError(f"bits={bits}: a peer does not read compressed weights: take names=ours.")
        tensors, metadata[BITS] = compressed(tensors, bits), str(bits)
    if preprocessing is not None:
        metadata[PREPROCESSING] = json.dumps(preprocessing.to_dict())
    if classes:
        metadata[CLASSES] = json.dumps(list(classes))
    write_safetensors(path, tensors, metadata)


def load(path: str | os.PathLike[str], arch: Sized | None = None, trust_code: bool = False) -> Weights:
    """Read what `save` wrote; with `arch`, also a peer's file, which does not state its network.

    A given `arch` replaces the one that the file states (another `resolution` or `drop_rate`, say). A file is
    data: one whose network is a function in a .py runs it with `trust_code` only. ValueError where the file
    is damaged, states no network or such a function, or its arrays do not fit (all are listed).
    """
    metadata, preprocessing = read_metadata(path), None
    if arch is None and ARCH not in metadata:
        raise ValueError(
            f"{os.fspath(path)} does not state its network, so scaling.save did not write it: name the network, such "
            "as scaling.load(path, arch=scaling.get('resnet18'))."
        )
    try:
        arch = arch or from_record(parse_json(metadata[ARCH]), trust_code)
        if PREPROCESSING in metadata:
            preprocessing = Preprocessing.from_dict(parse_json(metadata[PREPROCESSING]))
        classes = class_names(parse_json(metadata.get(CLASSES, "[]")))
        return Weights(arch, _fitting(arch, path, metadata), preprocessing, classes)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{os.fspath(path)} cannot be loaded: {error}") from error


def _fitting(arch: Sized, path: str | os.PathLike[str], metadata: Mapping[str, str]) -> dict[str, Any]:
    """Read a file's arrays as a network's variables; what does not fit is refused before it is expanded."""
    tensors = read_safetensors(path)
    if metadata.get(NAMES) != "ours":
        return load_torch(arch, tensors)
    if BITS not in metadata:
        return load_paths(arch, tensors)
    check_shapes(arch, stated_shapes(tensors))
    return from_paths(expanded(tensors))


def class_names(told: Any) -> tuple[str, ...]:
    """Return the names of classes as a record holds them; ValueError for anything but a list of text."""
    if not isinstance(told, list) or not all(isinstance(name, str) for name in told):
        raise ValueError("its names of classes are no list of text")
    return tuple(told)


def load_variables(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read the variables alone, for a network that the caller checks them against; no code is ever run.

    Names of ours say where arrays belong, so the file's network is not even read. ValueError as from `load`.
    """
    metadata = read_metadata(path)
    if metadata.get(NAMES) != "ours":
        return load(path).variables
    try:
        tensors = read_safetensors(path)
        return from_paths(expanded(tensors) if BITS in metadata else tensors)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{os.fspath(path)} cannot be loaded: {error}") from error


def read_safetensors(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Read a .safetensors file as arrays by name (bfloat16 as ml_dtypes' type); no pickle is ever read."""
    with _opened(path) as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping


def read_metadata(path: str | os.PathLike[str]) -> dict[str, str]:
    """Read the text that a .safetensors file carries beside its arrays."""
    with _opened(path) as file:
        return file.metadata() or {}


def write_safetensors(
    path: str | os.PathLike[str], tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str] | None = None
) -> None:
    """Write arrays by name, and `metadata`, to a .safetensors file that appears by one rename."""
    from safetensors.numpy import save_file

    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    dense = {name: np.asarray(tensor, order="C") for name, tensor in tensors.items()}
    try:
        save_file(dense, str(temporary), metadata=dict(metadata or {}))
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _opened(path: str | os.PathLike[str]) -> Any:
    # JAX, which `scaling` imports, has told NumPy of bfloat16 by now: safetensors asks NumPy for it by name.
    from safetensors import SafetensorError, safe_open

    if not Path(path).is_file():
        raise ValueError(f"{os.fspath(path)} is not a file: give a .safetensors file.")
    try:
        return safe_open(os.fspath(path), framework="np")
    except SafetensorError as error:
        raise ValueError(
            f"{os.fspath(path)} is not a readable .safetensors file ({error}): pickles (.pth, .bin) are never read; "
            "download it again, or convert it where it was made."
        ) from error
