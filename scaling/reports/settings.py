"""Runs of one network and size by several recipes are several curves: the settings in which they differ."""

from __future__ import annotations

from collections.abc import Sequence

from scaling.reports.curve import execution_keys, swept
from scaling.runs.rows import Row
from scaling.runs.spec import ModelSpec

UNTOLD = ("seed", "train.duration")  # runs of several seeds are one point; a length has a word of its own


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
    """The keys "section.key" that change results and of which runs of one network have several values."""
    sizes: dict[ModelSpec, list[Row]] = {}
    for row in rows:
        sizes.setdefault(row.spec.model, []).append(row)
    keys = dict.fromkeys(key for found in sizes.values() if len(found) > 1 for key in swept(found)[1])
    return [key for key in keys if key not in UNTOLD and key not in execution_keys()]


def _told(row: Row, keys: Sequence[str]) -> list[str]:
    found = (
        (name, getattr(getattr(row.spec, section), name))
        for section, _, name in (k.partition(".") for k in keys)
    )
    return [f"{name}={value}" for name, value in found]
