"""The configs of searches are runnable recipes, as far as can be told without their data."""

import importlib.util
import json
from pathlib import Path

import jax
import numpy as np
import pytest

from scaling.cost.counting import count
from scaling.runs.resolve import resolve
from search.core.strategy import batch_of
from search.runs import outcome
from search.runs.history import Record
from search.runs.spec import SearchSpec
from search.spaces import catalogue
from search.strategies.catalogue import named

CONFIGS = sorted((Path(__file__).parents[3] / "configs").glob("search_*.py"))


def load(path: Path, *argument: str):
    found = importlib.util.spec_from_file_location(f"config_{path.stem}", path)
    assert found and found.loader
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module, SearchSpec.from_config(module.get_config(*argument))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_it_says_what_it_is_and_survives_json(path):
    module, spec = load(path)
    first, *rest = module.__doc__.splitlines()
    assert first.endswith(".") and f"--config=configs/{path.name}" in " ".join(rest)
    assert SearchSpec.from_config(json.loads(json.dumps(spec.to_dict()))) == spec


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_its_candidates_and_its_best_network_are_networks(path):
    _, spec = load(path)
    space = catalogue.named(spec.space.name, **spec.space.settings)
    assert batch_of(named(spec.strategy.name, space, **spec.strategy.settings)) <= spec.evaluations
    point = np.asarray(space.sample(jax.random.key(0)))
    name = space.to_string(point)
    record = Record(
        index=0, point=tuple(point.tolist()), name=name, network=name, rewards=(0.5,), cached=False
    )
    trials = outcome.final_trials(spec, space, [record])
    assert len(trials) == spec.final.best * len(spec.final.seeds) == len({trial.spec.id for trial in trials})
    for trial in trials:
        assert count(resolve(trial.spec.model, 10, 1)[0]).params > 0
        assert trial.spec.data.test


def test_the_strategies_of_one_config_compare():
    path = next(path for path in CONFIGS if path.stem == "search_cells")
    (_, one), (_, other) = load(path, "lstm_ppo"), load(path, "random")
    assert one.run == other.run and one.evaluations == other.evaluations and one.id != other.id
