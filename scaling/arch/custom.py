"""A network of the user's own: any callable (depth, width, resolution) -> Linen module, as a value to scale.

`Custom` has what the rest of the library asks of an `Arch` (a name, a resolution, classes and channels) and
nothing of its stages. What the callable and its module must do is in `docs/own_network.md`.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
import inspect
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scaling.border.pinned import digest

if TYPE_CHECKING:
    from flax import linen as nn

FILE = ".py:"  # what tells "nets/mixer.py:network" from a name of the zoo
# Keywords that a callable gets where its signature names them
OPTIONS = ("num_classes", "drop_rate", "drop_path_rate", "norm_momentum", "dtype", "axis_name")


@dataclass(frozen=True)
class Custom:
    """`network(depth, width, resolution, **options)` at one size; a size that cannot be built is refused.

    `depth` and `width` are factors over the callable's own base, `resolution` is the side in pixels. How
    they become whole layers and channels is the callable's to say: `scaling.rules.rounding` has
    `round_depth` and `round_width`. Two sizes are the same where the modules are equal. `source` is
    "file.py:function" where the callable came from a file: only then can the value be written down.
    """

    network: Callable[..., nn.Module]
    resolution: int
    num_classes: int = 1000
    in_channels: int = 3
    depth: float = 1.0
    width: float = 1.0
    name: str = ""
    family: str = ""
    source: str = ""
    drop_rate: float | None = None
    drop_path_rate: float | None = None
    norm_momentum: float | None = None

    # Not annotated, so no fields: it has no stages to keep, freeze or recompute, and no peer.
    stem = stages = stage_names = ()
    weights = ""

    def __post_init__(self):
        name = self.name or getattr(self.network, "__name__", type(self.network).__name__)
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "family", self.family or name)
        for key in ("resolution", "num_classes", "in_channels"):
            if not isinstance(getattr(self, key), int) or getattr(self, key) < 1:
                raise ValueError(f"{name}: {key}={getattr(self, key)!r} must be an integer of at least 1.")
        self.module()

    def module(self, **options: Any) -> nn.Module:
        """Call the callable: the Linen module of this size; ValueError where it cannot be trained.

        `options` are further keywords of `OPTIONS`; a None is left out.
        """
        given = {key: getattr(self, key) for key in OPTIONS if hasattr(self, key)} | options
        wanted = {key: value for key, value in given.items() if value is not None}
        taken = {key: value for key, value in wanted.items() if self.takes(key)}
        if lost := sorted(wanted.keys() - taken.keys() - {"num_classes"}):
            raise ValueError(
                f"{self.family} cannot be told {lost[0]}={wanted[lost[0]]!r}: give the function a parameter "
                f"{lost[0]!r}, or leave it unset."
            )
        size = (self.depth, self.width, self.resolution)
        try:
            made = self.network(*size, **taken)
        except Exception as error:
            raise ValueError(
                f"{self.family}{size} failed with {type(error).__name__}: {error}. A network of your own is a "
                "function (depth, width, resolution) of two factors and a side in pixels."
            ) from error
        check(made, self.family)
        return made

    def takes(self, option: str) -> bool:
        """Whether the callable has a keyword of that name."""
        parameters = inspect.signature(self.network).parameters.values()
        return any(p.name == option or p.kind is p.VAR_KEYWORD for p in parameters)

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of an input."""
        return self.resolution, self.resolution, self.in_channels

    @property
    def sizes(self) -> tuple:
        """What rules change."""
        return self.module(), self.resolution

    def replace(self, **changes: Any) -> Custom:
        """Return a copy with fields changed; ValueError for what only our own networks have."""
        if unknown := sorted(set(changes) - {f.name for f in dataclasses.fields(self)}):
            raise ValueError(
                f"{self.family} is a network of your own, which has no {unknown[0]} that could be set: leave it "
                "unset, and do in your function what it would do."
            )
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        if not self.source:
            raise ValueError(
                f"{self.name} is a function of this process, which cannot be written down: put it in a file and "
                "name that, as config.model.name='my_net.py:network' does."
            )
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "network"}

    def to_json(self) -> str:
        """Serialise by the name of the file; `Custom.from_dict` imports it again."""
        return json.dumps(self.to_dict(), separators=(",", ":"))

    @staticmethod
    def from_dict(data: dict[str, Any]) -> Custom:
        return Custom(load(data["source"]), **data)


def check(module: Any, name: str) -> None:
    """Raise ValueError where a module cannot be compared or called as a network is."""
    from flax import linen as nn

    if not isinstance(module, nn.Module):
        raise ValueError(f"{name} returned {type(module).__name__}, not a flax.linen.Module.")  # noqa: TRY004
    try:
        hash(module)
    except TypeError as error:
        raise ValueError(
            f"{name}: {type(module).__name__} has an attribute that cannot be hashed, so sizes cannot be told "
            "apart: use tuples, not lists or dicts."
        ) from error
    called = inspect.signature(type(module).__call__).parameters.values()
    if not any(p.name == "train" or p.kind is p.VAR_KEYWORD for p in called):
        raise ValueError(
            f"{name}: {type(module).__name__}.__call__ has no parameter 'train': it is called with NHWC images "
            "and train=True or False, which should switch batch norm and dropout."
        )


def is_file(name: str) -> bool:
    """Whether a network's name is that of a function in a file, "nets/mixer.py:network"."""
    return FILE in name


def pin(name: str) -> str:
    """Return "file.py:function@digest" of such a name: what a run computes depends on the file's text.

    ValueError where there is no such file, or where the name already holds another digest.
    """
    path, function, told = split(name)
    found = digest(_text(path, name))
    if told and told != found:
        raise ValueError(
            f"config.model.name={name!r}: the file has changed, its text is now @{found}, so this is another "
            f"network: put the file back, or name it {path}:{function} for a new run."
        )
    return f"{path}:{function}@{found}"


def split(name: str) -> tuple[str, str, str]:
    """Return the path, the function and the digest ("" where not pinned) of a name."""
    path, _, rest = name.rpartition(FILE)
    function, _, told = rest.partition("@")
    return f"{path}.py", function, told


def load(name: str) -> Callable[..., nn.Module]:
    """Import the function of "file.py:function", which runs the file; the same text is run once."""
    path, function, pinned = split(pin(name))
    module = _module(path, pinned)
    if not callable(getattr(module, function, None)):
        raise ValueError(f"config.model.name={name!r}: {path} defines no function {function!r}.")  # noqa: TRY004
    return getattr(module, function)


@functools.lru_cache(maxsize=64)
def _module(path: str, pinned: str) -> Any:
    name = f"network_{Path(path).stem}_{pinned}"
    found = importlib.util.spec_from_file_location(name, path)
    assert found is not None and found.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(
        found
    )  # dataclasses look themselves up there
    try:
        found.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise ValueError(f"{path} cannot be imported: {type(error).__name__}: {error}") from error
    return module


def _text(path: str, name: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ValueError(
            f"config.model.name={name!r}: {path} cannot be read ({error.strerror}): a network of your own is named "
            "by the path of its file, from the directory of the command."
        ) from error
