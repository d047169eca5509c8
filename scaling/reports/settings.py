"""Runs of one network and size by several recipes are several curves: the settings in which they differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scaling.border.typed import flatten, plain
from scaling.reports.curve import tells
from scaling.runs.recorded import SECTIONS
from scaling.runs.rows import Row

# Size and length have words of their own
APART = tuple(name for name in SECTIONS if name != "model")
LENGTH = "train.duration"


def told_apart(names: Sequence[str], rows: Sequence[Row]) -> list[str]:
    """Names of curves, extended by the settings that differ between runs of one name and one network.

    Settings that differ between sizes only are of the size, and stay untold.
    """
    curves: dict[str, list[Row]] = {}
    for name, row in zip(names, rows):
        curves.setdefault(name, []).append(row)
    keys = {name: _varied(found) for name, found in curves.items()}
    return [" · ".join([name, *_told(row, keys[name])]) for name, row in zip(names, rows)]


def _varied(rows: Sequence[Row]) -> list[str]:
    """The keys "section.key" of which runs of one network have several values."""
    sizes: dict[Any, list[Row]] = {}
    for row in rows:
        sizes.setdefault(row.spec.model, []).append(row)
    keys: dict[str, None] = {}
    for found in sizes.values():
        for section in APART:
            values = {id(part): part for part in (getattr(row.spec, section) for row in found)}
            if len(parts := list({part: None for part in values.values()})) > 1:
                flat = [flatten({section: plain(part)}) for part in parts]
                keys |= dict.fromkeys(key for key in flat[0] if len({repr(one.get(key)) for one in flat}) > 1)
    return [key for key in keys if key != LENGTH and not key.startswith("data.dir") and _counts(key, rows)]


def _counts(key: str, rows: Sequence[Row]) -> bool:
    """Whether the key can change results: what says only how a run is executed does not."""
    section, _, name = key.partition(".")
    return any(tells(section, name, getattr(getattr(row.spec, section), name, None)) for row in rows)


def _told(row: Row, keys: Sequence[str]) -> list[str]:
    values = {
        key: getattr(getattr(row.spec, key.partition(".")[0]), key.partition(".")[2], "") for key in keys
    }
    return [f"{key.partition('.')[2]}={value}" for key, value in values.items()]
