"""From nested dicts to typed values: what every config passes, once, before anything is done with it."""

from __future__ import annotations

import ast
import dataclasses
import difflib
import functools
import json
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, Union

READER = "reader"
SCALARS = int, float, str, bool, type(None)  # what a value can be as it is
SHOWN = 200  # characters of a value in an error


def read_by(reader: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    """Metadata of a field whose values read themselves from a dict by `reader`, and have a `to_dict`."""
    return {READER: reader}


def nearest(value: Any, known: typing.Iterable[str]) -> str:
    """Return "; did you mean 'x'?" for the closest known names, or ""."""
    close = difflib.get_close_matches(str(value), list(known), n=3, cutoff=0.4)
    return f"; did you mean {' or '.join(map(repr, close))}?" if close else ""


def build(cls: type, values: Mapping[str, Any], path: str) -> Any:
    """Build a dataclass from nested dicts; ValueError, naming the key below `path`, for what does not fit."""
    if not isinstance(values, Mapping):
        raise ValueError(f"{path}={_shown(values)} must be a section of keys.")  # noqa: TRY004
    fields = {f.name: f for f in dataclasses.fields(cls)}
    hints = _hints(cls)
    for key in values:
        if key not in fields:
            raise ValueError(f"unknown key {path}.{key}{nearest(key, fields)} Known: {', '.join(fields)}.")
    return cls(**{key: _read(fields[key], hints[key], values[key], f"{path}.{key}") for key in values})


def check_fields(cls: type, values: Mapping[str, Any], path: str) -> None:
    """Raise ValueError where values lack a field of a dataclass, add one, or one is not of its type.

    The values stay as they are: an integer that stands for a float is still written as one.
    """
    fields, hints = {f.name: f for f in dataclasses.fields(cls)}, _hints(cls)
    if unknown := sorted(set(values) - set(fields)):
        raise ValueError(f"{path} has no field {unknown}; it has {sorted(fields)}.")
    if lacking := sorted(needed(cls) - set(values)):
        raise ValueError(f"{path} lacks the fields {lacking}.")
    for name, value in values.items():
        _convert(hints[name], value, f"{path}.{name}")


@functools.cache
def needed(cls: type) -> frozenset[str]:
    """The fields of a dataclass that have no default."""
    missing = dataclasses.MISSING
    fields = dataclasses.fields(cls)
    return frozenset(f.name for f in fields if f.default is missing and f.default_factory is missing)


def _shown(value: Any) -> str:
    """A value as an error shows it, in one line of bounded length."""
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def plain(value: Any) -> Any:
    """JSON-able values of a dataclass of sections: what `build` reads back."""
    if dataclasses.is_dataclass(value):
        return {f.name: plain(written(f, value)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, (list, tuple)) else value


def written(field: dataclasses.Field, owner: Any) -> Any:
    """The value of a field of `owner`, as a dict where it reads itself."""
    value = getattr(owner, field.name)
    return value if value is None or READER not in field.metadata else value.to_dict()


def _read(field: dataclasses.Field, hint: Any, value: Any, path: str) -> Any:
    """Read a field by its own reader, where it has one and a dict is given, else by its type."""
    if READER not in field.metadata or not isinstance(value, Mapping):
        return _convert(hint, value, path)
    try:
        return field.metadata[READER](plain(value))
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise ValueError(
            f"{path} cannot be read ({type(error).__name__}: {error}): give what `to_dict()` of such a value writes."
        ) from error


@functools.cache
def _hints(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _convert(hint: Any, value: Any, path: str) -> Any:
    """Check `value` against the field's type; ints become floats, lists become tuples."""
    if type(value) in _scalars(hint):
        return value
    if dataclasses.is_dataclass(hint):
        if isinstance(value, typing.cast(type, hint)):
            return value
        return build(typing.cast(type, hint), value, path)
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        return _convert(_member(args, value), value, path)
    if origin is tuple and isinstance(value, (list, tuple)):
        inner = [args[0]] * len(value) if args[-1] is Ellipsis else args
        if len(inner) != len(value):
            raise ValueError(f"{path}={_shown(value)} must have {len(inner)} entries.")
        return tuple(_convert(a, v, f"{path}[{i}]") for i, (a, v) in enumerate(zip(inner, value)))
    if origin is dict and isinstance(value, Mapping):
        return {key: _convert(args[1], inner, f"{path}.{key}") for key, inner in _copied(value).items()}
    if origin is Mapping and isinstance(value, Mapping):
        return {key: _convert(args[1], inner, f"{path}.{key}") for key, inner in value.items()}
    if hint is Any:
        return value
    if hint is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    raise ValueError(f"{path}={_shown(value)} must be {getattr(hint, '__name__', hint)}.")


@functools.cache
def _scalars(hint: Any) -> frozenset[Any]:
    """The types of which a value fits a hint as it is."""
    union = typing.get_origin(hint) in (Union, types.UnionType)
    return frozenset(typing.get_args(hint) if union else (hint,)) & frozenset(SCALARS)


def _copied(value: Any) -> Any:
    """A mapping as JSON would give it back."""
    if all(type(key) is str and type(inner) in SCALARS for key, inner in value.items()):
        return dict(value)
    return json.loads(json.dumps(plain(value)))


def _member(members: tuple[Any, ...], value: Any) -> Any:
    """The member of a union that a value is meant for: its own type, None, a tuple, else the first other."""
    if value is None and type(None) in members:
        return type(None)
    others = [member for member in members if member is not type(None)]
    if own := [m for m in others if dataclasses.is_dataclass(m) and isinstance(value, typing.cast(type, m))]:
        return own[0]
    sequence = isinstance(value, (list, tuple))
    return next((m for m in others if (typing.get_origin(m) is tuple) == sequence), others[0])


def override(full: dict[str, Any], changes: Mapping[str, Any], free: typing.Collection[str] = ()) -> dict:
    """Set {"section.key": value} in a nested dict of all fields, in place; text is read as the field's type.

    Sections named in `free` take any key. ValueError, naming the nearest key, where there is no such field.
    """
    for path, value in changes.items():
        *sections, key = path.split(".")
        at = full
        for section in sections:
            at = _known(at, section, path)
        before = at.get(key) if sections and sections[-1] in free else _known(at, key, path)
        if isinstance(before, dict) and not isinstance(value, Mapping):
            known = ", ".join(before) or "those"
            raise ValueError(f"--config.{path}={value} is a section: set its keys, {known}.")  # noqa: TRY004
        at[key] = _literal(value, before) if isinstance(value, str) else value
    return full


def changed(nested: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a nested dict with {"section.key": value} set; shares what is not changed.

    ValueError where a section holds no keys; whether there is such a key is for `build` to say.
    """
    result = dict(nested)
    for key, value in changes.items():
        *path, last = key.split(".")
        inner = result
        for depth, name in enumerate(path):
            if not hasattr(inner.get(name), "keys"):
                raise ValueError(
                    f"{key!r} cannot be set: config.{'.'.join(path[: depth + 1])} holds no keys{nearest(name, inner)}"
                )
            inner[name] = dict(inner[name])
            inner = inner[name]
        inner[last] = value
    return result


def flatten(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested dicts as one with dotted keys; empty dicts stay as values."""
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        inner = isinstance(value, Mapping) and value
        flat |= flatten(value, f"{prefix}{key}.") if inner else {f"{prefix}{key}": value}
    return flat


def _known(values: Any, key: str, path: str) -> Any:
    if not isinstance(values, dict) or key not in values:
        known = list(values) if isinstance(values, dict) else []
        raise ValueError(
            f"--config.{path} is not a field of the config{nearest(key, known)}"
            f" Known at that place: {', '.join(known) or 'nothing, it is a value'}."
        )
    return values[key]


def _literal(text: str, before: Any) -> Any:
    """Read command-line text as a Python value; a text field keeps it as it is."""
    if isinstance(before, str):
        return text
    if text.lower() in ("true", "false", "none"):
        return {"true": True, "false": False, "none": None}[text.lower()]
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
