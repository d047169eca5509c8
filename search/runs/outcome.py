"""What a search found: its best networks, as files that can be trained, and the runs that train them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from scaling.border.files import write_json
from scaling.border.typed import flatten
from scaling.runs.spec import RunSpec
from scaling.sweeps.expand import Trial
from search.core.space import Space
from search.runs.history import Record
from search.runs.spec import SearchSpec
from search.strategies.nsga2 import dominates

BEST, GENOTYPE, TRAIN_CONFIG, FINAL = "best", "genotype.json", "train_config.json", "final"


def best(records: Sequence[Record], count: int) -> list[Record]:
    """The best networks, at most `count`, each by its first record; with several objectives by front.

    ValueError where no record has a finite reward.
    """
    first = {record.network: record for record in reversed(records) if None not in record.rewards}
    distinct = sorted(first.values(), key=lambda record: record.index)
    if not distinct:
        statuses = sorted({record.status for record in records})
        raise ValueError(
            f"none of {len(records)} evaluations has a finite reward (statuses: {', '.join(statuses)}): loosen the "
            "constraints, or see the messages in history.jsonl."
        )
    rewards = np.array([record.rewards for record in distinct], float)
    order = np.lexsort((-rewards[:, 0], front_numbers(rewards)))
    return [distinct[i] for i in order[:count]]


def front_numbers(rewards: np.ndarray) -> np.ndarray:
    """Of each row of [N, M] the front that it is on: 0 where no row dominates it."""
    if rewards.shape[1] == 1:
        return np.unique(-rewards, return_inverse=True)[1].reshape(-1)
    beats = np.asarray(dominates(jnp.asarray(rewards)))
    fronts, left, number = np.zeros(len(rewards), int), np.ones(len(rewards), bool), 0
    while left.any():
        first = left & ~(beats & left[:, None]).any(0)
        fronts[first], left, number = number, left & ~first, number + 1
    return fronts


def contenders(spec: SearchSpec, records: Sequence[Record]) -> list[Record]:
    """The records that compare: all, or with halving those of the longest training that any got to."""
    return longest_trained(records) if spec.strategy.widths else list(records)


def longest_trained(records: Sequence[Record]) -> list[Record]:
    """Of a halving search's records those of the last rung that any has a reward of."""
    longest = max((record.point[-1] for record in records if None not in record.rewards), default=0)
    return [record for record in records if record.point[-1] == longest]


def write_best(spec: SearchSpec, space: Space, found: Record, directory: Path) -> None:
    """Write the best network: what it is, and a config that trains it."""
    arch = space.decode(found.point).to_dict() if space.network else None
    genotype: dict[str, Any] = {
        "space": dataclasses.asdict(spec.space),
        "point": found.point,
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
    for place, found in enumerate(best(contenders(spec, records), spec.final.best), start=1):
        for seed in spec.final.seeds:
            made.append(
                Trial(
                    {"best": place, "network": found.name, "seed": seed}, train_spec(spec, space, found, seed)
                )
            )
    return made
