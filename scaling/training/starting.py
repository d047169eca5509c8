"""The weights a run starts from, where its config names some: a file of ours, or published ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from flax import traverse_util

from scaling.arch.arch import Sized
from scaling.border.pinned import is_weights, weights_path
from scaling.weights.files import load_variables
from scaling.weights.pretrained import from_pretrained

HEAD = "classifier"  # the module that a new number of classes replaces
NAMED = 8  # arrays that an error spells out


def read(init: str) -> Mapping[str, Any]:
    """Return the variables that `config.model.init` names: of a pinned file, else of `from_pretrained`."""
    return load_variables(weights_path(init)) if is_weights(init) else from_pretrained(init)[1]


def started(arch: Sized, fresh: Mapping[str, Any], given: Mapping[str, Any], init: str) -> dict[str, Any]:
    """Return the `given` variables, with the `fresh` classifier where the number of classes differs.

    ValueError, naming the arrays, where anything else is missing, unknown or of another shape.
    """
    ours: dict[Any, Any] = dict(traverse_util.flatten_dict(dict(fresh)))
    theirs: dict[Any, Any] = dict(traverse_util.flatten_dict(dict(given)))
    replaced = any(
        np.shape(theirs[path]) != np.shape(leaf)
        for path, leaf in ours.items()
        if HEAD in path and path in theirs
    )
    kept = {path for path in {*ours, *theirs} if not (replaced and HEAD in path)}
    problems = [
        f"{'/'.join(path)}: needed {_shape(ours, path)}, given {_shape(theirs, path)}"
        for path in sorted(kept)
        if _shape(ours, path) != _shape(theirs, path)
    ]
    if problems:
        raise ValueError(
            f"config.model.init={init!r} holds other arrays than {arch.name} has, {len(problems)} in all; only those of "
            f"its {HEAD!r} may differ. Name weights of this network, or change the network. "
            + "; ".join(problems[:NAMED])
        )
    taken = {path: np.asarray(theirs[path], np.float32) for path in ours if path in kept}
    return traverse_util.unflatten_dict(ours | taken)


def _shape(flat: Mapping[Any, Any], path: Any) -> tuple[int, ...] | None:
    return np.shape(flat[path]) if path in flat else None
