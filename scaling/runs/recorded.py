"""The recipe of a finished run, read once: plain values to a `RunSpec`, equal sections to one object.

A study has thousands of rows and few recipes. So a section is read once for each text of it, and what is
asked of sections can be asked once for each object (`by_object`).
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

from scaling.runs.spec import RunSpec

T = TypeVar("T")

encode = json.JSONEncoder(sort_keys=True).encode  # to the same text for the same values

# Of which a spec consists, besides its seed
SECTIONS = tuple(name for name, value in vars(RunSpec()).items() if dataclasses.is_dataclass(value))


class Recorded(NamedTuple):
    """A spec and the plain values that it was read from, which an older version may have written."""

    spec: RunSpec
    values: Mapping[str, Any]


def read_spec(values: Mapping[str, Any]) -> Recorded:
    """Read the spec that a row holds; fields that it lacks have their defaults. No file is looked at.

    ValueError on a key that this version does not know, or a wrong type.
    """
    if not isinstance(values, Mapping):
        raise ValueError(f"spec={values!r} must hold the sections of a config.")  # noqa: TRY004
    sections = {
        name: _section(name, encode(value)) for name, value in values.items() if isinstance(value, Mapping)
    }
    spec = RunSpec.from_dict({**values, **{name: read for name, (read, _) in sections.items()}})
    return Recorded(spec, {**values, **{name: plain for name, (_, plain) in sections.items()}})


def by_object(of: Callable[[Any], T]) -> Callable[[Any], T]:
    """`of`, but called once for each object, however often it is asked; it holds what it was asked of."""
    known: dict[int, tuple[Any, T]] = {}

    def asked(value: Any) -> T:
        if id(value) not in known:
            known[id(value)] = value, of(value)
        return known[id(value)][1]

    return asked


@functools.lru_cache(maxsize=1 << 14)
def _section(name: str, text: str) -> tuple[Any, dict[str, Any]]:
    """A section of that name read from its text, and its plain values."""
    plain = json.loads(text)
    return getattr(RunSpec.from_dict({name: _told(name, plain)}), name), plain


def _told(name: str, plain: dict[str, Any]) -> dict[str, Any]:
    """A section without values that were left out: a published row tells no directory, its cell is empty."""
    if name not in SECTIONS:
        return plain
    known = vars(getattr(RunSpec(), name))
    return {key: value for key, value in plain.items() if value is not None or key not in known}
