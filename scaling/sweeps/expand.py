"""From `get_sweep()`, a list of override dicts or a small declarative dict, to the trials of a sweep."""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scaling.border.typed import flatten, nearest, override
from scaling.runs.pinning import fingerprint
from scaling.runs.spec import RunSpec

Overrides = dict[str, Any]
KEYS = ("zip", "grid", "seeds")


@dataclass(frozen=True)
class Trial:
    """One run of a sweep: the overrides that make it, and the spec that they give."""

    overrides: Overrides
    spec: RunSpec

    @property
    def label(self) -> str:
        """The overrides as text, "model.phi=1.0 seed=3"."""
        return " ".join(f"{key}={_short(value)}" for key, value in self.overrides.items()) or "(base config)"


def grid(axes: Mapping[str, Sequence[Any]]) -> list[Overrides]:
    """Every combination of the axes' values; the last axis varies fastest."""
    return [dict(zip(axes, values)) for values in itertools.product(*axes.values())]


def zipped(axes: Mapping[str, Sequence[Any]]) -> list[Overrides]:
    """Axes that vary together; ValueError where their lengths differ."""
    lengths = {key: len(values) for key, values in axes.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(
            f"the axes of a zip vary together and need one length, got {lengths}: even them out."
        )
    return [dict(zip(axes, values)) for values in zip(*axes.values())]


def product(*parts: Iterable[Overrides]) -> list[Overrides]:
    """Every combination of one override dict of each part, merged; ValueError where two set one key."""
    merged: list[Overrides] = []
    for combination in itertools.product(*parts):
        whole: Overrides = {}
        for overrides in combination:
            if twice := sorted(whole.keys() & overrides.keys()):
                raise ValueError(f"the sweep sets {', '.join(twice)} in two places: keep one of them.")
            whole |= overrides
        merged.append(whole)
    return merged


def seeds(values: Iterable[int]) -> list[Overrides]:
    """One override of `seed` for each value."""
    return [{"seed": seed} for seed in values]


def expand(sweep: Sequence[Mapping[str, Any]] | Mapping[str, Any]) -> list[Overrides]:
    """The list of overrides that a sweep stands for.

    A list of override dicts is taken as it is. A dict may have `zip` and `grid` (axes: dotted key ->
    list of values) and `seeds` (a list); the result is their product, zip slowest, seeds fastest.

    Raises:
      ValueError: for an unknown key, a value that is no list, or a sweep without trials.
    """
    if isinstance(sweep, Mapping):
        expanded = _declared(sweep)
    else:
        expanded = [dict(overrides) for overrides in _listed(sweep)]
    if not expanded:
        raise ValueError("the sweep is empty: get_sweep() must give at least one set of overrides.")
    return expanded


def trials(
    base: RunSpec, sweep: Sequence[Mapping[str, Any]] | Mapping[str, Any]
) -> tuple[list[Trial], list[str]]:
    """The distinct trials of a sweep over `base`, in its order, and one note for each dropped duplicate.

    A data set that overrides name is listed once, however many trials read it.

    Raises:
      ValueError: where an override names no key of the spec, or gives a value that it cannot have.
    """
    distinct: dict[str, Trial] = {}
    notes: list[str] = []
    tell = functools.cache(fingerprint)
    for overrides in expand(sweep):
        trial = Trial(overrides, base.revised(overrides, tell))
        if (first := distinct.setdefault(trial.spec.id, trial)) is not trial:
            notes.append(f"trial {trial.label} is the same run as {first.label} ({trial.spec.id}): run once.")
    return list(distinct.values()), notes


def only(made: Sequence[Trial], wanted: Mapping[str, str]) -> list[Trial]:
    """The trials whose configs have these values, {"section.key": text}, set by the sweep or not.

    A file of code or weights may be named without the digest that a run adds to it.

    Raises:
      ValueError: where there is no such key, or no trial has these values; says which they have.
    """
    found = [
        one
        for one in made
        if RunSpec.from_dict(override(one.spec.to_dict(), _pinned(wanted, one.spec))) == one.spec
    ]
    if not found:
        told = " and ".join(f"{key}={value}" for key, value in wanted.items())
        flat = [flatten(one.spec.to_dict()) for one in made]
        there = "; ".join(f"{key} is {', '.join(sorted({str(one[key]) for one in flat}))}" for key in wanted)
        raise ValueError(f"no trial has {told}: of {len(made)} trials {there}.")
    return found


def _pinned(wanted: Mapping[str, str], spec: RunSpec) -> dict[str, str]:
    """What is wanted, files with the digest that they have in a spec."""
    files = {"model.name": spec.model.name, "model.init": spec.model.init}
    same = {key for key, file in files.items() if file.rpartition("@")[:2] == (wanted.get(key), "@")}
    return {key: files[key] if key in same else text for key, text in wanted.items()}


def _listed(sweep: Any) -> list[Mapping[str, Any]]:
    """The override dicts of a sweep that is no dict itself; ValueError where it is something else."""
    found: list[Any] = list(sweep) if isinstance(sweep, Iterable) and not isinstance(sweep, str) else [sweep]
    if not all(isinstance(one, Mapping) and all(isinstance(key, str) for key in one) for one in found):
        raise ValueError(
            f"get_sweep() gives {sweep!r}: let it return a list of dicts of overrides, or a dict of grid, zip and seeds."
        )
    return found


def _declared(sweep: Mapping[str, Any]) -> list[Overrides]:
    for key in sweep:
        if key not in KEYS:
            hint = (
                f"write it as an axis, {{'grid': {{{key!r}: [...]}}}}"
                if "." in str(key)
                else f"known: {', '.join(KEYS)}"
            )
            raise ValueError(f"get_sweep() gives the unknown key {key!r}{nearest(key, KEYS)}; {hint}.")
    for name in KEYS[:2]:
        if name in sweep:
            _check_axes(name, sweep[name])
    parts = []
    if "zip" in sweep:
        parts.append(zipped(sweep["zip"]))
    if "grid" in sweep:
        parts.append(grid(sweep["grid"]))
    if "seeds" in sweep:
        _check_values("seeds", sweep["seeds"])
        parts.append(seeds(sweep["seeds"]))
    return product(*parts) if parts else []


def _check_axes(name: str, axes: Any) -> None:
    if not isinstance(axes, Mapping) or not axes or not all(isinstance(key, str) for key in axes):
        raise ValueError(
            f"the sweep's {name}={axes!r} must hold at least one axis, {{'model.phi': [0.0, 1.0]}}, say, or be left out."
        )
    for key, values in axes.items():
        _check_values(f"{name}[{key!r}]", values)


def _check_values(where: str, values: Any) -> None:
    if isinstance(values, (str, Mapping)) or not isinstance(values, Sequence) or not values:
        raise ValueError(f"the sweep's {where}={values!r} must be a list of at least one value.")


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= 40 else text[:37] + "..."
