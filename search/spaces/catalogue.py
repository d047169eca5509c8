"""Spaces by name, from settings that a config can hold: `named("nasnet", blocks=3, operations="enas")`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from scaling.arch.arch import Arch
from scaling.border.typed import build, nearest
from scaling.runs.resolve import resolve
from scaling.runs.spec import ModelSpec
from search.core.space import Space
from search.spaces import mnasnet, nasbench201, nasbench_macro, nasnet, stages, transnas


def _nasnet(
    blocks: int = 5,
    operations: str | Sequence[str] = "nasnet",
    leaving: str = "unread",
    skeleton: str = "cifar",
    **network: Any,
) -> Space:
    return nasnet.space(nasnet.language(blocks, operations, leaving, skeleton), **network)


def _mnasnet(base: Base = "efficientnet_b0", skips: bool = True, **choices: Sequence) -> Space:
    return mnasnet.space(mnasnet.Macro(_base(base), skips=skips, **_tuples(choices)))


def _stages(base: Base = "efficientnet_b0", rising: bool = False, **factors: Sequence[float]) -> Space:
    return stages.space(stages.Sizes(_base(base), rising=rising, **_tuples(factors)))


def _base(base: Base) -> Arch:
    """The network that a name of the zoo, or fields of `ModelSpec`, describe."""
    fields = {"name": base} if isinstance(base, str) else dict(base)
    model = build(ModelSpec, fields, "config.space.settings.base")
    arch, _ = resolve(model, num_classes=1000, in_channels=3)
    if not isinstance(arch, Arch):
        raise ValueError(f"config.space.settings.base={base!r} has no stages to search: name one of the zoo.")  # noqa: TRY004
    return arch


def _tuples(choices: dict[str, Sequence]) -> dict[str, Any]:
    return {name: tuple(values) for name, values in choices.items()}


Base = str | Mapping[str, Any]

# `nasbench201.space`'s settings; those of `nasnet.language` and `nasnet.space`; the fields of
# `mnasnet.Macro` and of `stages.Sizes`, with the base by its name in the zoo or as a config's `model`; the
# others have no settings
SPACES: dict[str, Callable[..., Space]] = {
    "nasbench201": nasbench201.space,
    "nasnet": _nasnet,
    "mnasnet": _mnasnet,
    "stages": _stages,
    "nasbench_macro": lambda: nasbench_macro.SPACE,
    "transnas_micro": lambda: transnas.MICRO,
    "transnas_macro": lambda: transnas.MACRO,
}


def named(name: str, **settings: Any) -> Space:
    """The space of a name; KeyError, with the nearest names, for others, ValueError for a wrong setting."""
    if name not in SPACES:
        raise KeyError(f"no space {name!r}{nearest(name, SPACES)} There are: {', '.join(SPACES)}.")
    try:
        return SPACES[name](**settings)
    except TypeError as error:
        raise ValueError(f"space {name!r} has not all of the settings {settings}: {error}.") from error
