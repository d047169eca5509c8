"""A search as its directory keeps it: config, records, the best network, its retrained runs."""

from __future__ import annotations

import dataclasses
import functools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scaling.arch.arch import Arch
from scaling.border.files import read_json
from scaling.border.typed import flatten
from scaling.reports.build import CSV, Study, read_study
from scaling.reports.curve import tells
from scaling.runs.rows import Row
from scaling.runs.workdir import CONFIG, ROW
from search.runs import history
from search.runs.history import Record
from search.runs.outcome import contenders
from search.runs.pinning import TABULAR
from search.runs.workdir import BEST, FINAL, GENOTYPE

WITHOUT_REPLACEMENT = "random_without_replacement"
RANDOM = ("random", WITHOUT_REPLACEMENT)  # strategies that learn nothing
SAME = ("space", "objective", "evaluator", "run")  # sections that rewards only compare within
SEEDS = ("seed", "run.seed")
MOST_SETTINGS = 3  # that a name tells; more are numbered


@dataclass(frozen=True)
class FinishedSearch:
    """One search. `strategy` is its name in the config, `label` tells it from searches of other settings.

    Searches of one label differ in their seed only. `arch` is the best network, None where the space has
    no networks or nothing was found; `finals` are its retrained runs, `problems` what could not be read.
    """

    directory: Path
    config: Mapping[str, Any]
    records: tuple[Record, ...]
    label: str = ""
    genotype: Mapping[str, Any] = field(default_factory=dict)
    arch: Arch | None = None
    finals: tuple[Row, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def strategy(self) -> str:
        return str(self.config.get("strategy", {}).get("name") or self.directory.resolve().name)

    @property
    def halved(self) -> bool:
        """Whether points were measured at several rungs, whose rewards do not compare."""
        return bool(self.config.get("strategy", {}).get("widths"))

    @property
    def timed(self) -> bool:
        """Whether costs are seconds: of look-ups in a table they are whatever its user counts."""
        return self.config.get("evaluator", {}).get("name") != TABULAR

    @functools.cached_property
    def contenders(self) -> list[Record]:
        """The records whose rewards compare."""
        return contenders(self.records)

    @property
    def objectives(self) -> int:
        """The number of rewards of a record."""
        return len(self.records[0].rewards)


def read_searches(sources: Sequence[Path]) -> list[FinishedSearch]:
    """The searches of some directories, with labels.

    ValueError where one holds no record, a damaged one, or rewards of another number of objectives.
    """
    searches = [_read(source) for source in dict.fromkeys(sources)]
    if len(numbers := {search.objectives for search in searches}) != 1:
        raise ValueError(
            f"the searches have {' and '.join(map(str, sorted(numbers)))} objectives, or there is none: "
            "report searches of one number of objectives together."
        )
    return _labelled(searches)


def by_label(searches: Iterable[FinishedSearch]) -> dict[str, list[FinishedSearch]]:
    """The searches that differ in their seed only, together."""
    groups: dict[str, list[FinishedSearch]] = {}
    for search in searches:
        groups.setdefault(search.label, []).append(search)
    return groups


def unlike(searches: Sequence[FinishedSearch]) -> list[str]:
    """The keys in which the searches' spaces, objectives or evaluators differ: rewards may not compare."""
    given = [{k: v for k, v in _settings(s).items() if k.split(".")[0] in SAME} for s in searches]
    return sorted(
        {key for one in given for key in one if any(key not in g or g[key] != one[key] for g in given)}
    )


def _settings(search: FinishedSearch) -> dict[str, Any]:
    """What sets a search apart from others but its seed, with dotted names."""
    flat = flatten(dict(search.config))
    return {key: value for key, value in flat.items() if key not in SEEDS and _tells(key, value)}


def _tells(key: str, value: Any) -> bool:
    """Whether a setting changes results; those of the trained runs say so in their fields."""
    section, *rest = key.split(".")
    return section != "run" or len(rest) != 2 or tells(rest[0], rest[1], value)


def _read(directory: Path) -> FinishedSearch:
    if not directory.is_dir():
        raise ValueError(f"--workdir={directory} is not a directory: name one that a search has written.")
    problems: list[str] = []
    genotype, arch = _genotype(directory / BEST / GENOTYPE, problems)
    study = _finals(directory / FINAL)
    return FinishedSearch(
        directory,
        _json(directory / CONFIG),
        tuple(history.read(directory, problems)),
        genotype=genotype,
        arch=arch,
        finals=study.rows,
        problems=(*problems, *study.problems),
    )


def _genotype(path: Path, problems: list[str]) -> tuple[dict[str, Any], Arch | None]:
    """What was found and its network; nothing, and a problem, where the file is damaged."""
    try:
        genotype = _json(path)
        return genotype, Arch.from_dict(genotype["arch"]) if genotype.get("arch") else None
    except ValueError as error:
        problems.append(f"{path} holds no network: {error}")
        return {}, None


def _finals(directory: Path) -> Study:
    """The retrained runs, or of a committed study its rows; none before they are trained."""
    if not any(directory.glob(f"*/{ROW}")) and not (directory / CSV).exists():
        return Study((), {}, ())
    return read_study([directory])


def _json(path: Path) -> dict[str, Any]:
    """A JSON file; empty where there is none, as before a search has ended."""
    try:
        values = read_json(path) if path.exists() else {}
        if not isinstance(values, dict):
            raise ValueError("it holds no fields")  # noqa: TRY004
    except ValueError as error:
        raise ValueError(f"{path} is not readable JSON ({error}): restore it, or delete it.") from error
    return values


def _labelled(searches: Sequence[FinishedSearch]) -> list[FinishedSearch]:
    """Name searches by their strategies and, within one strategy, by the settings that differ."""
    settings = [_settings(search) for search in searches]
    labels = []
    for search, own in zip(searches, settings):
        alike = [other for s, other in zip(searches, settings) if s.strategy == search.strategy]
        keys = [key for key in own if any(other.get(key) != own[key] for other in alike)]
        told = [f"{key.split('.')[-1]}={own[key]}" for key in keys[:MOST_SETTINGS]]
        if len(keys) > MOST_SETTINGS:
            told.append(f"settings {alike.index(own) + 1}")
        labels.append(" ".join([search.strategy, *told]))
    return [dataclasses.replace(s, label=label) for s, label in zip(searches, labels)]


def timed(searches: Iterable[FinishedSearch]) -> bool:
    """Whether all costs are seconds, so that they add up."""
    return all(search.timed for search in searches)


def statuses(records: Iterable[Record]) -> Counter[str]:
    """How many evaluations ended how, those from the cache left out."""
    return Counter(record.status for record in records if not record.cached)
