"""Pin what a config names outside itself by its content: a network's file, weights, data without a name.

So a run's id says what it computes, also where files change behind a path that stays.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from scaling.arch.custom import is_file, pin
from scaling.border.fingerprint import of_arrays, of_files
from scaling.border.pinned import pin_weights

if TYPE_CHECKING:
    from scaling.runs.spec import DataSpec, ModelSpec

# How each source takes the fingerprint of `data.dir`; None where the source or a name says what the data is.
SOURCES: dict[str, Callable[[Path], str] | None] = {
    "digits": None,
    "folder": of_files,
    "npz": of_arrays,
    "tfds": None,
    "coco": of_files,
    "voc": of_files,
    "boxes": of_files,
    "omniglot": of_files,
    "fsdd": of_arrays,
}


def pin_model(model: ModelSpec) -> ModelSpec:
    """Add the digests of the files that a network is made from; ValueError where one cannot be read."""
    name = pin(model.name) if model.arch is None and is_file(model.name) else model.name
    return dataclasses.replace(model, name=name, init=pin_weights(model.init))


def fingerprint(source: str, directory: str) -> str:
    """Return the fingerprint of a data set without a name; "" for one with a name, or where there is none."""
    tell = SOURCES[source]
    return tell(Path(directory).expanduser()) if tell and directory else ""


def pin_data(data: DataSpec, tell: Callable[[str, str], str] = fingerprint) -> DataSpec:
    """Add the fingerprint of a data set without a name; one that has it is not listed again."""
    if SOURCES[data.source] is None:
        return dataclasses.replace(data, fingerprint="") if data.fingerprint else data
    return data if data.fingerprint else dataclasses.replace(data, fingerprint=tell(data.source, data.dir))


def confirm_data(data: DataSpec, tell: Callable[[], str]) -> None:
    """Raise ValueError where pinned data has changed; `tell` takes its fingerprint as it is now."""
    if data.fingerprint and (found := tell()) != data.fingerprint:
        raise ValueError(
            f"config.data.fingerprint={data.fingerprint!r}: the content of {data.dir} has changed, it is now {found!r}, so "
            "this is another run: put the data back, or leave the fingerprint empty for a new run."
        )


def unpinned_as(data: DataSpec, older: DataSpec) -> DataSpec:
    """Return `data` without its fingerprint where `older` is the same directory and has none, else as it is.

    Runs that were written before data had fingerprints are matched by path so.
    """
    same = _place(data.dir) == _place(older.dir) and data.source == older.source
    return dataclasses.replace(data, fingerprint="") if same and not older.fingerprint else data


def _place(directory: str) -> str:
    return os.path.abspath(os.path.expanduser(directory))
