"""Frozen values as JSON and back: a dict of their fields beside the name of their type, tuples as lists."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from scaling.border.typed import check_fields


def encode(value: Any) -> Any:
    """Write a value down; a field that came later is left out at its default."""
    if dataclasses.is_dataclass(value):
        names = [f.name for f in dataclasses.fields(value) if not _is_unused(f, value)]
        return {"type": type(value).__name__, **{name: encode(getattr(value, name)) for name in names}}
    if isinstance(value, tuple):
        return [encode(v) for v in value]
    return value


def _is_unused(entry: dataclasses.Field, value: Any) -> bool:
    return "later" in entry.metadata and getattr(value, entry.name) == entry.default


def decode(data: Any, types: Mapping[str, type]) -> Any:
    """Make values of the `types` again; ValueError for an unknown type, or a field that does not fit."""
    if isinstance(data, list):
        return tuple(decode(v, types) for v in data)
    if not isinstance(data, dict):
        return data
    fields = {k: decode(v, types) for k, v in data.items() if k != "type"}
    kind = types.get(name) if isinstance(name := data.get("type"), str) else None
    if kind is None:
        raise ValueError(f"Unknown architecture value {name!r}; known: {', '.join(types)}.")
    check_fields(kind, fields, kind.__name__)
    return kind(**fields)
