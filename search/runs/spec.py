"""What one search is: frozen values with every default, built from a config at one border."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scaling.border.typed import build, plain
from scaling.runs.pinning import unpinned_as
from scaling.runs.spec import RunSpec, execution, identity
from search.runs import pinning

FREE = ("settings", "limits", "columns", "changes")  # sections that take any key
OBJECTIVES = ("maximise", "minimise", "product", "absolute")
EVALUATORS = ("training", pinning.TABULAR, "short", "zero_cost", "shared_weights")
STAGED = ("training",)  # that measure a point for a stated length


@dataclass(frozen=True)
class SpaceSpec:
    """What is searched: a name of `search.spaces.catalogue` and the arguments of its function."""

    name: str = "nasbench201"
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class StrategySpec:
    """Who searches: a name of `search.strategies.catalogue` and what differs from its defaults there.

    `widths` makes it successive halving: so many points at the evaluator's first duration, the best so
    many at the second, and so on.
    """

    name: str = "lstm_reinforce"
    settings: dict[str, Any] = field(default_factory=dict)
    widths: tuple[int, ...] = ()


@dataclass(frozen=True)
class ObjectiveSpec:
    """What is maximised (`search.core.objectives`).

    `kind` is "maximise" or "minimise" a `metric`, or trades it for `cost` against a `target`: MnasNet's
    "product", with the exponents `below` and `above` the target, or TuNAS's "absolute", with `weight`.
    `limits` {metric: most} refuses points beyond them. Each metric of `also_minimise` is an objective
    of its own, for strategies that take several.
    """

    kind: str = "maximise"
    metric: str = "val_top1"
    cost: str = "macs"
    target: float = 0.0
    below: float = -0.07
    above: float = -0.07
    weight: float = -0.07
    limits: dict[str, Any] = field(default_factory=dict)
    also_minimise: tuple[str, ...] = ()


@dataclass(frozen=True)
class EvaluatorSpec:
    """What a point is worth: one of `EVALUATORS` and the arguments of its class.

    `durations` are the lengths of training of a halving search's rungs. `columns` {metric: "FILE:COLUMN"}
    adds metrics from benchmark tables of the space, such as a latency. Files are pinned as "FILE@digest".
    """

    name: str = "training"
    settings: dict[str, Any] = field(default_factory=dict)
    durations: tuple[str, ...] = ()
    columns: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class FinalSpec:
    """What becomes of the best: the `best` networks, each trained with `seeds`, as `run` with `changes`.

    `changes` are sections of `run`, such as {"train": {"duration": "30 epochs"}}. No seeds: no training.
    """

    best: int = 1
    seeds: tuple[int, ...] = ()
    changes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SearchSpec:
    """One search of `evaluations` points.

    `run` is how a network is trained; its `model.arch` is left to the search. `id` names what is searched and
    how: a larger budget goes on with the same search.
    """

    seed: int = 0
    evaluations: int = execution(100)
    space: SpaceSpec = field(default_factory=SpaceSpec)
    strategy: StrategySpec = field(default_factory=StrategySpec)
    objective: ObjectiveSpec = field(default_factory=ObjectiveSpec)
    evaluator: EvaluatorSpec = field(default_factory=EvaluatorSpec)
    run: RunSpec = field(default_factory=RunSpec)
    final: FinalSpec = field(default_factory=FinalSpec, metadata={"identity": False})

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> SearchSpec:
        """Build from what `to_dict` gave: no file is read, no value checked; ValueError on an unknown key."""
        return build(SearchSpec, values, "config")

    @staticmethod
    def from_config(config: Mapping[str, Any]) -> SearchSpec:
        """Build from a ConfigDict or nested dict; ValueError on an unknown key or a wrong value."""
        to_dict = getattr(config, "to_dict", None)  # a ConfigDict is not a Mapping
        return SearchSpec.from_dict(to_dict() if to_dict else config).checked()

    def checked(self) -> SearchSpec:
        """Check the values and pin files, tables and data by content; ValueError on a wrong value."""
        _check(self)
        return dataclasses.replace(self, run=self.run.pinned(), evaluator=pinning.pin_tables(self.evaluator))

    def same_run_as(self, older: SearchSpec) -> bool:
        """Whether `older` records this same search, perhaps from before data or tables were pinned."""
        run = dataclasses.replace(self.run, data=unpinned_as(self.run.data, older.run.data))
        evaluator = pinning.unpinned_as(self.evaluator, older.evaluator)
        return dataclasses.replace(self, run=run, evaluator=evaluator).id == older.id

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-able values; `SearchSpec.from_config(spec.to_dict()) == spec`."""
        return plain(self)

    @property
    def id(self) -> str:
        """Twelve hex digits of the hash of all fields that change the trace."""
        return identity(self)


def _check(spec: SearchSpec) -> None:
    if spec.evaluations < 1:
        raise ValueError(
            f"config.evaluations={spec.evaluations} must be at least 1: it is how many are paid for."
        )
    for path, value, allowed in (
        ("objective.kind", spec.objective.kind, OBJECTIVES),
        ("evaluator.name", spec.evaluator.name, EVALUATORS),
    ):
        if value not in allowed:
            raise ValueError(f"config.{path}={value!r} must be one of {', '.join(allowed)}.")
    if spec.objective.kind in ("product", "absolute") and not spec.objective.target > 0:
        raise ValueError(
            f"config.objective.target={spec.objective.target} must be above 0 for kind={spec.objective.kind!r}: the "
            f"{spec.objective.cost} that a network should have."
        )
    if len(spec.strategy.widths) != len(spec.evaluator.durations):
        raise ValueError(
            f"config.strategy.widths={spec.strategy.widths} and config.evaluator.durations={spec.evaluator.durations} "
            "are the rungs of successive halving: give as many of one as of the other, or none."
        )
    if spec.evaluator.durations and spec.evaluator.name not in STAGED:
        raise ValueError(
            f"config.evaluator.durations={spec.evaluator.durations} need an evaluator that trains for a given length, "
            f"and {spec.evaluator.name!r} does not: use {' or '.join(STAGED)}, or leave durations and widths out."
        )
    if spec.final.best < 1:
        raise ValueError(f"config.final.best={spec.final.best} must be at least 1 network.")
