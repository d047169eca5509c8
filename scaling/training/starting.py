"""The weights a run starts from, where its config names some: a file of ours, or published ones."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from flax import traverse_util

from scaling.arch.arch import Sized
from scaling.border.pinned import is_weights, weights_path
from scaling.weights import hub
from scaling.weights.files import load_variables
from scaling.weights.heads import of_classes
from scaling.weights.pretrained import from_pretrained

NAMED = 8  # arrays that an error spells out


def read(init: str) -> Mapping[str, Any]:
    """Return the variables that `config.model.init` names: of a pinned file, else of `from_pretrained`."""
    if is_weights(init):
        return load_variables(weights_path(init))
    with _naming(init):
        return from_pretrained(init)[1]


def check(init: str) -> None:
    """Raise ValueError where a name can be of no published weights; nothing is downloaded or read."""
    if init and not is_weights(init):
        with _naming(init):
            hub.check(init)


@contextlib.contextmanager
def _naming(init: str) -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, KeyError, ValueError) as error:
        raise ValueError(f"config.model.init={init!r}: {error.args[0]}") from error


def started(arch: Sized, fresh: Mapping[str, Any], given: Mapping[str, Any], init: str) -> dict[str, Any]:
    """Return the `given` variables, with what follows the number of classes `fresh` where that differs.

    ValueError, naming the arrays, where anything else is missing, unknown or of another shape.
    """
    ours: dict[Any, Any] = dict(traverse_util.flatten_dict(dict(fresh)))
    theirs: dict[Any, Any] = dict(traverse_util.flatten_dict(dict(given)))
    differ = {path for path in {*ours, *theirs} if _shape(ours, path) != _shape(theirs, path)}
    classes = of_classes(arch) if differ else set()
    replaced = classes if differ & classes & ours.keys() & theirs.keys() else set()
    problems = [
        f"{'/'.join(path)}: needed {_shape(ours, path)}, given {_shape(theirs, path)}"
        for path in sorted(differ - replaced)
    ]
    if problems:
        raise ValueError(
            f"config.model.init={init!r} holds other arrays than {arch.name} has, {len(problems)} in all; only those "
            "that follow its number of classes may differ. Name weights of this network, or change the network. "
            + "; ".join(problems[:NAMED])
        )
    taken = {path: np.asarray(theirs[path], np.float32) for path in ours if path not in replaced}
    return traverse_util.unflatten_dict(ours | taken)


def _shape(flat: Mapping[Any, Any], path: Any) -> tuple[int, ...] | None:
    return np.shape(flat[path]) if path in flat else None
