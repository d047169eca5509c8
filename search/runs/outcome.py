"""What a search found: its best networks, as files that can be trained, and the runs that train them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scaling.border.files import write_json
from scaling.border.typed import flatten
from scaling.laws import pareto
from scaling.runs.spec import RunSpec
from scaling.sweeps.expand import Trial
from search.core.space import Space
from search.core.strategy import comparable
from search.runs.history import Record
from search.runs.spec import SearchSpec
from search.runs.workdir import BEST, GENOTYPE, HISTORY, TRAIN_CONFIG


def best(records: Sequence[Record], count: int) -> list[Record]:
    """The best networks, at most `count`, each by its first record; with several objectives by front.

    ValueError where no record has a finite reward.
    """
    rewarded = [record for record in contenders(records) if None not in record.rewards]
    first = {record.network: record for record in reversed(rewarded)}
    distinct = sorted(first.values(), key=lambda record: record.index)
    if not distinct:
        statuses = sorted({record.status for record in records})
        raise ValueError(
            f"none of {len(records)} evaluations has a finite reward (statuses: {', '.join(statuses)}): loosen the "
            f"constraints, or see the messages in {HISTORY}."
        )
    rewards = np.array([record.rewards for record in distinct], float)
    order = np.lexsort((-rewards[:, 0], pareto.fronts(rewards)))
    return [distinct[i] for i in order[:count]]


def contenders(records: Sequence[Record]) -> list[Record]:
    """The records whose rewards compare: all, or with halving those of the last rung with any reward."""
    rungs = np.array([record.rung for record in records], int)
    finite = np.array([None not in record.rewards for record in records], bool)
    return [record for record, fine in zip(records, comparable(rungs, finite)) if fine]


def write_best(spec: SearchSpec, space: Space, found: Record, directory: Path) -> None:
    """Write the best network: what it is, and a config that trains it."""
    arch = space.decode(found.point).to_dict() if space.network else None
    genotype: dict[str, Any] = {
        "space": dataclasses.asdict(spec.space),
        "point": found.point,
        "rung": found.rung,
        "string": found.name,
        "network": found.network,
        "rewards": found.rewards,
        "metrics": found.metrics,
        "fidelity": found.fidelity,
        "search": spec.id,
        "arch": arch,
    }
    write_json(directory / BEST / GENOTYPE, genotype)
    if arch is not None:
        write_json(directory / BEST / TRAIN_CONFIG, train_spec(spec, space, found).to_dict())


def train_spec(spec: SearchSpec, space: Space, found: Record, seed: int | None = None) -> RunSpec:
    """The run that trains a network for good: `spec.run` with its final changes."""
    run = spec.run.revised(flatten(spec.final.changes))
    model = dataclasses.replace(run.model, arch=space.decode(found.point))
    return dataclasses.replace(run, model=model, seed=run.seed if seed is None else seed)


def final_trials(spec: SearchSpec, space: Space, records: Sequence[Record]) -> list[Trial]:
    """The runs of the best networks, each with every seed."""
    made = []
    for place, found in enumerate(best(records, spec.final.best), start=1):
        for seed in spec.final.seeds:
            made.append(
                Trial(
                    {"best": place, "network": found.name, "seed": seed}, train_spec(spec, space, found, seed)
                )
            )
    return made
