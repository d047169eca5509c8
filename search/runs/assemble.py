"""From a SearchSpec to the four parts of a search: space, strategy, evaluator, objective."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scaling.sweeps.in_process import in_process
from search.core import objectives
from search.core.evaluation import Evaluator
from search.core.objectives import Objective
from search.core.space import Space
from search.core.strategy import Strategy
from search.core.table import Table, read_points
from search.evaluators.lookup import Lookup, WithColumns
from search.evaluators.shared_weights import SharedWeights
from search.evaluators.short_training import ShortTraining
from search.evaluators.training import PoolOf, Training
from search.evaluators.zero_cost import ZeroCost
from search.runs.pinning import TABULAR, plain_tables
from search.runs.spec import EvaluatorSpec, ObjectiveSpec, SearchSpec
from search.runs.workdir import RUNS, SHARED
from search.spaces import catalogue as spaces
from search.spaces import user
from search.strategies import catalogue as strategies
from search.strategies.halving import halving


@dataclass(frozen=True)
class Search:
    """The parts of one search; `objectives` is how many rewards the objective gives a point."""

    space: Space
    strategy: Strategy
    evaluator: Evaluator
    objective: Objective
    objectives: int = 1


def assemble(spec: SearchSpec, workdir: Path, pool_of: PoolOf = in_process) -> Search:
    """Build what a spec names; what runs the candidates that are trained is `pool_of(directory, read)`.

    ValueError or KeyError for what is not there or does not fit together.
    """
    spec = dataclasses.replace(spec, evaluator=plain_tables(spec.evaluator))
    table = _table(spec) if spec.evaluator.name == TABULAR else None
    space = table.space if table else spaces.named(spec.space.name, **spec.space.settings)
    strategy = strategies.named(spec.strategy.name, space, **spec.strategy.settings)
    try:
        evaluator = _evaluator(spec, space, table, workdir, pool_of)
    except TypeError as error:
        raise ValueError(
            f"evaluator {spec.evaluator.name!r} does not take settings {spec.evaluator.settings}: {error}."
        ) from error
    if spec.evaluator.columns:
        evaluator = WithColumns(space, evaluator, spec.evaluator.columns)
    if widths := spec.strategy.widths:
        strategy = halving(strategy, widths)
    return Search(
        space, strategy, evaluator, objective(spec.objective), 1 + len(spec.objective.also_minimise)
    )


def objective(spec: ObjectiveSpec) -> Objective:
    """The objective of a spec, constrained and joined by others where it says so."""
    kinds = {
        "maximise": lambda: objectives.maximise(spec.metric),
        "minimise": lambda: objectives.minimise(spec.metric),
        "product": lambda: objectives.product(spec.metric, spec.cost, spec.target, spec.below, spec.above),
        "absolute": lambda: objectives.absolute(spec.metric, spec.cost, spec.target, spec.weight),
    }
    made = kinds[spec.kind]()
    if spec.also_minimise:
        made = objectives.several(made, *map(objectives.minimise, spec.also_minimise))
    return objectives.constrain(made, spec.limits) if spec.limits else made


def _table(spec: SearchSpec) -> Table:
    """The table of a tabular search: of a benchmark's space, or of a user's file, which is a space itself."""
    settings, shown = spec.evaluator.settings, _needed(spec.evaluator, "shown")
    file = Path(_needed(spec.evaluator, "file"))
    if spec.space.name == "table":
        partial = bool(settings.get("partial", False))
        return user.load(file, _needed(spec.evaluator, "decisions"), list(shown.values()), partial=partial)
    space = spaces.named(spec.space.name, **spec.space.settings)
    # A table knows each point by itself, also those that are one network.
    return read_points(
        file, dataclasses.replace(space, identity=None, normal_form=None), list(shown.values())
    )


def _evaluator(
    spec: SearchSpec, space: Space, table: Table | None, workdir: Path, pool_of: PoolOf
) -> Evaluator:
    settings = spec.evaluator.settings
    if table:
        return Lookup(table, settings["shown"], settings.get("cost", 1.0))
    if spec.evaluator.name == "training":
        durations = spec.evaluator.durations
        return Training(space, spec.run, workdir / RUNS, durations, pool_of=pool_of, **settings)
    if spec.evaluator.name == "shared_weights":
        return SharedWeights(space, spec.run, workdir / SHARED, spec.evaluations, **settings)
    others: dict[str, Any] = {"short": ShortTraining, "zero_cost": ZeroCost}
    return others[spec.evaluator.name](space, spec.run, **settings)


def _needed(spec: EvaluatorSpec, key: str) -> Any:
    if key not in spec.settings:
        raise ValueError(f"config.evaluator.settings.{key} is missing: evaluator {spec.name!r} needs it.")
    return spec.settings[key]
