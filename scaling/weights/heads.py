"""What of a network follows its number of classes, and networks of other classes on old features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flax import traverse_util

from scaling.arch.arch import Arch, Sized
from scaling.models.initialize import draw, stated_variables
from scaling.models.network import build
from scaling.weights.torch import shapes_of

CLASSIFIER = "classifier"  # a module that goes as a whole, hidden layers and all
Path = tuple[str, ...]


def of_classes(arch: Sized) -> set[Path]:
    """The arrays that a new number of classes replaces: classifiers, and what has another shape by it."""
    more = shapes_of(arch.replace(num_classes=arch.num_classes + 1))
    return {path for path, shape in shapes_of(arch).items() if CLASSIFIER in path or more.get(path) != shape}


def replace_head(
    arch: Arch, variables: Mapping[str, Any], num_classes: int, seed: int = 0
) -> tuple[Arch, dict[str, Any]]:
    """Return the architecture with `num_classes`, and its variables: a new classifier, the rest as it is.

    What follows the number of classes, as `of_classes` says, is drawn from `seed` as `initialize` draws it;
    the given one may be missing. Raises ValueError listing whatever else is not of the architecture.
    """
    changed, replaced = arch.replace(num_classes=num_classes), of_classes(arch)
    tree = stated_variables(build(changed), changed.resolution, changed.in_channels)
    stated: dict[Any, Any] = dict(traverse_util.flatten_dict(tree))
    given: dict[Any, Any] = dict(traverse_util.flatten_dict(dict(variables)))
    kept = {path: leaf for path, leaf in given.items() if path not in replaced}
    wanted = {path: leaf.value.shape for path, leaf in stated.items() if path not in replaced}
    problems = [
        f"{'/'.join(path)}: {arch.name} has {wanted.get(path)}, given {getattr(kept.get(path), 'shape', None)}"
        for path in sorted({*kept, *wanted})
        if wanted.get(path) != getattr(kept.get(path), "shape", None)
    ]
    if problems:
        raise ValueError(
            f"{len(problems)} arrays beside the classifier do not fit {arch.name} (pass the architecture whose "
            "variables these are):\n  " + "\n  ".join(problems)
        )
    drawn = {path: draw(seed, path, stated[path]) for path in stated.keys() & replaced}
    return changed, traverse_util.unflatten_dict(kept | drawn)
