"""Pin the tables that a search looks up in by their content: of another table it is another search."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scaling.border.pinned import digest, split

if TYPE_CHECKING:
    from search.runs.spec import EvaluatorSpec

TABULAR = "tabular"  # the evaluator whose setting `file` is a table

Change = Callable[[str, str], str]  # (the key of the config, the file it names) -> the file


def pin_tables(spec: EvaluatorSpec) -> EvaluatorSpec:
    """Return the evaluator with "FILE@digest" for each file; one that has its digest stays.

    ValueError where a file cannot be read.
    """
    return _changed(spec, lambda key, file: file if split(file)[1] else f"{file}@{_digest(key, file)}")


def plain_tables(spec: EvaluatorSpec) -> EvaluatorSpec:
    """Return the evaluator with its files' paths; ValueError where one no longer holds what was pinned."""
    return _changed(spec, _confirmed)


def unpinned_as(spec: EvaluatorSpec, older: EvaluatorSpec) -> EvaluatorSpec:
    """Return `spec` without the digests of files that `older` names without one, else as it is.

    Searches that were written before tables had digests are matched by path so.
    """
    named: dict[str, str] = {}
    _changed(older, lambda key, file: named.setdefault(key, file))
    return _changed(spec, lambda key, file: path if (path := split(file)[0]) == named.get(key) else file)


def at_hand(spec: EvaluatorSpec) -> bool:
    """Whether every file is there, and holds what was pinned."""
    try:
        pin_tables(plain_tables(spec))
    except ValueError:
        return False
    return True


def _changed(spec: EvaluatorSpec, change: Change) -> EvaluatorSpec:
    """The evaluator with every file that it looks up in changed."""
    settings: dict[str, Any] = dict(spec.settings)
    if spec.name == TABULAR and "file" in settings:
        settings["file"] = change("settings.file", str(settings["file"]))
    columns = dict(spec.columns)
    for metric, where in columns.items():
        file, colon, column = str(where).rpartition(":")
        columns[metric] = f"{change(f'columns.{metric}', file)}:{column}" if colon else where
    return dataclasses.replace(spec, settings=settings, columns=columns)


def _confirmed(key: str, file: str) -> str:
    path, told = split(file)
    if told and told != (found := _digest(key, path)):
        raise ValueError(
            f"config.evaluator.{key}={file!r}: the file has changed, its content is now @{found}, so this is another "
            f"search: put the file back, or name it {path} for a new search."
        )
    return path


def _digest(key: str, file: str) -> str:
    try:
        return digest(Path(file).read_bytes())
    except OSError as error:
        raise ValueError(
            f"config.evaluator.{key}={file!r} cannot be read ({error.strerror}): name a CSV file by its path from the "
            "directory of the command."
        ) from error
