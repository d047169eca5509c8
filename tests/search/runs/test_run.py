"""The host loop: the trace of a simulation, a kill that leaves none, failures that end nothing."""

import csv
import dataclasses
import functools
import itertools
import json
import random

import jax
import numpy as np
import pytest

from search.core import automaton
from search.core.evaluation import Evaluation
from search.core.objectives import constrain, maximise, minimise, several
from search.core.space import Space
from search.core.strategy import heeds
from search.core.table import Table
from search.evaluators.lookup import Lookup
from search.evaluators.tabular import tabular
from search.runs import outcome
from search.runs.assemble import Search, assemble
from search.runs.history import History, Record, read
from search.runs.run import run
from search.runs.spec import SearchSpec
from search.runs.workdir import HISTORY, MARK
from search.simulation.simulate import simulate
from search.spaces import nasbench201
from search.strategies.catalogue import STRATEGIES, named
from search.strategies.halving import halving

SPACE = Space("boxes", automaton.product([4, 4, 3]))
TABLE = Table(
    SPACE, {"y": np.random.default_rng(0).normal(size=SPACE.size), "size": np.arange(SPACE.size) / 8}
)
SHOWN = {"y": "y", "size": "size"}
SINGLE = [name for name in STRATEGIES if name != "nsga2"]
RESUMED = ("evolution", "lstm_ppo", "local_search")  # states of three kinds


@functools.cache
def strategy_of(name):
    """A strategy by its defaults, the same whenever it is asked for, so that it is compiled once."""
    return named(name, SPACE)


def silent(record, seconds):
    del record, seconds


class Recorded:
    """An evaluator that remembers what it was asked, and does what a script says of some points."""

    stateful = False

    def __init__(self, script=None):
        self.asked, self._script = [], script or {}

    def __call__(self, points, rungs):
        for point, rung in zip(points, rungs, strict=True):
            key = tuple(point.tolist())
            self.asked.append(key if rung == 0 else (*key, rung))
            answer = self._script.get(key, Evaluation({"y": float(sum(key))}))
            if isinstance(answer, BaseException):
                raise answer
            yield answer

    def save(self, seen):
        raise AssertionError("it has no state")

    restore = save


def search_of(strategy, evaluator, objective=None, objectives=1) -> Search:
    return Search(SPACE, strategy, evaluator, objective or maximise("y"), objectives)


def points_of(records) -> list[tuple[int, ...]]:
    return [record.point for record in records]


# tests/search/strategies holds every strategy to its simulation
AT_NIGHT = dict.fromkeys(("lstm_ppo", "gp", "local_search"), pytest.mark.nightly)  # the others: exhaustive


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(n, marks=() if n == "evolution" else AT_NIGHT.get(n, pytest.mark.exhaustive))
        for n in SINGLE
    ],
)
def test_it_makes_the_trace_of_the_jitted_simulation(name, tmp_path):
    strategy, seed, budget = strategy_of(name), 3, 23
    search = search_of(strategy, Lookup(TABLE, SHOWN))
    records = run(search, budget, seed, History(tmp_path), silent)
    found = simulate(strategy, tabular(TABLE, SHOWN), maximise("y"), budget, jax.random.key(seed)[None])
    assert points_of(records) == [tuple(p) for p in found.points[0].tolist()]
    assert [record.reward for record in records] == found.rewards[0].tolist()


@pytest.mark.nightly
def test_several_objectives_make_the_trace_of_the_simulation_too(tmp_path):
    strategy = named("nsga2", SPACE, objectives=2, population=6, batch=3)
    both = several(maximise("y"), minimise("size"))
    records = run(search_of(strategy, Lookup(TABLE, SHOWN), both, 2), 20, 0, History(tmp_path), silent)
    found = simulate(strategy, tabular(TABLE, SHOWN), both, 20, jax.random.key(0)[None])
    assert np.array_equal([record.rewards for record in records], found.rewards[0])
    front = outcome.best(records, 3)
    assert not any(all(np.greater(b.rewards, a.rewards)) for a, b in itertools.product(front[:1], records))


def test_a_network_that_was_evaluated_is_answered_from_the_history(tmp_path):
    evaluator = Recorded()
    records = run(
        search_of(named("evolution", SPACE, population=6), evaluator), 60, 0, History(tmp_path), silent
    )
    assert len(evaluator.asked) == len(set(evaluator.asked)) == sum(not record.cached for record in records)
    assert 0 < sum(record.cached for record in records)
    assert all(record.cost == 0 for record in records if record.cached)


@pytest.mark.representatives(1)
@pytest.mark.parametrize("name", RESUMED)
@pytest.mark.parametrize("stopped", [1, 12])
def test_a_resumed_search_is_the_uninterrupted_one(name, stopped, tmp_path):
    whole = run(search_of(strategy_of(name), Recorded()), 20, 1, History(tmp_path / "a"), silent)

    class Died(Exception):
        pass

    def die(record, seconds):
        if record.index == stopped:
            raise Died

    with pytest.raises(Died):
        run(search_of(strategy_of(name), Recorded()), 20, 1, History(tmp_path / "b"), die)
    with open(tmp_path / "b" / HISTORY, "a") as file:
        file.write('{"index": 7, "poi')  # the machine died while it wrote
    again = Recorded()
    resumed = run(search_of(strategy_of(name), again), 20, 1, History(tmp_path / "b"), silent)
    assert [r.to_json() for r in resumed] == [r.to_json() for r in whole]
    assert len(again.asked) < len({r.network for r in whole})
    assert read(tmp_path / "b") == whole


def test_a_larger_budget_goes_on_with_the_same_search(tmp_path):
    strategy = strategy_of("lstm_ppo")  # asks for five at a time
    run(search_of(strategy, Recorded()), 8, 1, History(tmp_path / "a"), silent)
    more = run(search_of(strategy, Recorded()), 20, 1, History(tmp_path / "a"), silent)
    assert more == run(search_of(strategy, Recorded()), 20, 1, History(tmp_path / "b"), silent)


def test_what_fails_is_recorded_and_the_search_goes_on(tmp_path):
    script = {
        (0, 0, 0): Evaluation({}, "oom", message="out of memory"),
        (0, 0, 1): Evaluation({"y": float("nan")}),
        (0, 0, 2): Evaluation({"y": 1.0, "z": float("inf")}),
        (0, 1, 0): Evaluation({}, "failed", message="does not compile"),
    }
    records = run(search_of(strategy_of("grid"), Recorded(script)), SPACE.size, 0, History(tmp_path), silent)
    assert [record.status for record in records[:5]] == ["oom", "nan", "nan", "failed", "ok"]
    assert [record.rewards for record in records[:4]] == [(None,)] * 4
    assert records[2].metrics == {"y": 1.0} and "z" in records[2].message
    assert outcome.best(records, 1)[0].point == (3, 3, 2)
    assert read(tmp_path) == records


def test_nothing_found_is_said(tmp_path):
    never = constrain(maximise("y"), {"y": -1.0})
    records = run(search_of(strategy_of("random"), Recorded(), never), 5, 0, History(tmp_path), silent)
    with pytest.raises(ValueError, match="none of 5 evaluations has a finite reward"):
        outcome.best(records, 1)


def test_a_metric_that_is_not_given_is_named(tmp_path):
    with pytest.raises(ValueError, match="'macs', which the evaluator does not give: it gives y"):
        run(search_of(strategy_of("random"), Recorded(), maximise("macs")), 5, 0, History(tmp_path), silent)


@pytest.mark.parametrize("name", SINGLE)
def test_only_a_strategy_that_heeds_no_reward_is_asked_ahead(name, tmp_path):
    blind = name in ("grid", "random", "random_without_replacement")
    assert heeds(strategy_of(name)) is not blind


def test_asking_ahead_gives_the_evaluator_all_that_is_known_to_be_asked(tmp_path):
    sizes, evaluator = [], Recorded()

    class Counting(Recorded):
        def __call__(self, points, rungs):
            sizes.append(len(points))
            return evaluator(points, rungs)

    run(search_of(named("grid", SPACE, batch=2), Counting()), 9, 0, History(tmp_path), silent)
    assert sizes == [9]
    run(search_of(named("evolution", SPACE, batch=2), Counting()), 9, 0, History(tmp_path / "e"), silent)
    assert max(sizes[1:]) <= 2


def test_another_search_s_history_is_refused(tmp_path):
    run(search_of(strategy_of("random"), Recorded()), 5, 0, History(tmp_path), silent)
    with pytest.raises(ValueError, match="strategy, seed or version differs"):
        run(search_of(strategy_of("random"), Recorded()), 9, 1, History(tmp_path), silent)


def test_a_damaged_line_is_named(tmp_path):
    run(search_of(strategy_of("random"), Recorded()), 3, 0, History(tmp_path), silent)
    lines = (tmp_path / HISTORY).read_text().splitlines()
    (tmp_path / HISTORY).write_text("\n".join([lines[0], "{broken", lines[2]]) + "\n")
    with pytest.raises(ValueError, match="line 2"):
        read(tmp_path)
    (tmp_path / HISTORY).write_text("\n".join([lines[0], lines[2]]) + "\n")
    with pytest.raises(ValueError, match="a line is lost"):
        read(tmp_path)


@pytest.mark.parametrize("lost", [1, 3, 5])
def test_lines_that_are_gone_from_the_end_are_noticed(tmp_path, lost):
    records = run(search_of(strategy_of("random"), Recorded()), 5, 0, History(tmp_path), silent)
    lines = (tmp_path / HISTORY).read_bytes().splitlines(keepends=True)
    (tmp_path / HISTORY).write_bytes(b"".join(lines[: 5 - lost]))
    with pytest.raises(ValueError, match=rf"{5 - lost} whole lines, 5 then.*{MARK}"):
        History(tmp_path)
    if lost < 5:
        problems = []
        assert read(tmp_path, problems) == records[:-lost] and len(problems) == 1
    (tmp_path / MARK).unlink()
    again = run(search_of(strategy_of("random"), Recorded()), 5, 0, History(tmp_path), silent)
    assert [r.to_json() for r in again] == [r.to_json() for r in records]


def test_sound_lines_of_another_search_are_noticed_and_a_kill_before_the_mark_is_not(tmp_path):
    for seed, name in enumerate("ab"):
        run(search_of(strategy_of("random"), Recorded()), 3, seed, History(tmp_path / name), silent)
    ours, theirs = (tmp_path / name / HISTORY for name in "ab")
    before, written = (tmp_path / "a" / MARK).read_bytes(), ours.read_bytes()
    ours.write_bytes(theirs.read_bytes())
    with pytest.raises(ValueError, match="has changed since it was written"):
        History(tmp_path / "a")
    ours.write_bytes(written)
    run(search_of(strategy_of("random"), Recorded()), 5, 0, History(tmp_path / "a"), silent)
    (tmp_path / "a" / MARK).write_bytes(before)
    assert len(History(tmp_path / "a").records) == 5


@pytest.mark.parametrize(
    "damaged", ["", "{", "[]", "{}", '{"lines": "x"}', '{"lines": 9, "size": -1, "crc": 0}']
)
def test_a_damaged_mark_is_told(tmp_path, damaged):
    run(search_of(strategy_of("random"), Recorded()), 2, 0, History(tmp_path), silent)
    (tmp_path / MARK).write_text(damaged)
    with pytest.raises(ValueError, match=rf"{HISTORY}.*delete {MARK}"):
        History(tmp_path)


def test_a_report_takes_the_sound_lines_and_names_the_others(tmp_path):
    records = run(search_of(named("random", SPACE), Recorded()), 5, 0, History(tmp_path), silent)
    whole, rng = (tmp_path / HISTORY).read_bytes(), random.Random(0)
    for _ in range(100):
        data, at = bytearray(whole), rng.randrange(len(whole) - 1)
        data[at] ^= 1 << rng.randrange(7)
        (tmp_path / HISTORY).write_bytes(data)
        problems = []
        found = read(tmp_path, problems)
        assert all(record in records for record in found)
        assert len(problems) >= len(records) - len(found) and all(HISTORY in text for text in problems)
    assert (tmp_path / HISTORY).read_bytes() == bytes(data), "reading writes nothing"


def test_halving_measures_many_briefly_and_compares_what_compares(tmp_path):
    strategy, evaluator = halving(named("random", SPACE, batch=2), (4, 2)), Recorded()
    records = run(search_of(strategy, evaluator), 12, 0, History(tmp_path), silent)
    assert [record.rung for record in records] == [0, 0, 0, 0, 1, 1] * 2
    paid = [(*r.point, r.rung) if r.rung else r.point for r in records if not r.cached]
    assert evaluator.asked == paid  # a network that goes on is measured again
    assert {record.rung for record in outcome.contenders(records)} == {1}
    assert outcome.best(records, 1)[0].rung == 1 and read(tmp_path) == records
    again = Recorded()
    assert run(search_of(strategy, again), 12, 0, History(tmp_path), silent) == records and not again.asked


def test_a_history_whose_points_end_by_their_rung_is_read(tmp_path):
    """As histories of halving searches were written before rungs had a field."""
    records = run(
        search_of(halving(named("random", SPACE, batch=2), (4, 2)), Recorded()), 6, 0, History(tmp_path), silent
    )  # fmt: skip
    old = []
    for record in records:
        values = json.loads(record.to_json())
        rung, _ = values.pop("rung"), values.pop("crc")
        names = {key: f"{values[key]}@{rung}" for key in ("name", "network")}
        old.append(json.dumps({**values, **names, "point": [*values["point"], rung]}) + "\n")
    (tmp_path / HISTORY).write_text("".join(old))
    (tmp_path / MARK).unlink()
    (tmp_path / "config.json").write_text(json.dumps({"strategy": {"widths": [4, 2]}}))
    assert read(tmp_path) == records


@pytest.mark.exhaustive  # tests/search/evaluators/test_shared_weights.py asks it of the evaluator by night
def test_shared_weights_resume_with_the_history(tmp_path, training):
    evaluator = {"name": "shared_weights", "settings": {"steps": 2, "validation": 32}}
    spec = SearchSpec.from_config({**training, "evaluations": 6, "evaluator": evaluator})
    histories = {name: History(tmp_path / name) for name in ("whole", "stopped")}
    whole = run(assemble(spec, tmp_path / "whole"), 6, 0, histories["whole"], silent)
    run(assemble(spec, tmp_path / "stopped"), 2, 0, histories["stopped"], silent)
    resumed = run(assemble(spec, tmp_path / "stopped"), 6, 0, History(tmp_path / "stopped"), silent)
    assert [r.point for r in resumed] == [r.point for r in whole]
    assert [r.metrics for r in resumed] == [r.metrics for r in whole]
    assert {r.status for r in whole} == {"ok"} and not any(r.cached for r in whole)


@pytest.mark.nightly
@pytest.mark.parametrize("name", ["short", "zero_cost"])
def test_every_evaluator_that_a_config_names_serves_the_loop(name, tmp_path, training):
    objective = {"metric": "synflow" if name == "zero_cost" else "val_top1"}
    config = {
        **training,
        "evaluator": {"name": name, "settings": {"universal": False}},
        "objective": objective,
    }
    records = run(assemble(SearchSpec.from_config(config), tmp_path), 2, 0, History(tmp_path), silent)
    assert [r.status for r in records] == ["ok", "ok"] and all(r.fidelity and r.cost > 0 for r in records)


@pytest.mark.nightly
def test_a_latency_joined_from_a_table_is_an_objective(tmp_path):
    rows = [
        ["arch", "phone"],
        *(["".join(map(str, p)), str(1 + sum(p))] for p in nasbench201.SPACE.points().tolist()),
    ]
    with open(tmp_path / "latency.csv", "w", newline="") as file:
        csv.writer(file).writerows(rows)
    spec = SearchSpec.from_config(
        {
            "strategy": {"name": "random"},
            "objective": {"kind": "product", "metric": "score", "cost": "phone", "target": 10.0},
            "evaluator": {
                "name": "tabular",
                "settings": {"file": str(tmp_path / "latency.csv"), "shown": {"score": "phone"}},
                "columns": {"phone": f"{tmp_path / 'latency.csv'}:phone"},
            },
        }
    )
    (record,) = run(assemble(spec, tmp_path), 1, 0, History(tmp_path), silent)
    phone = 1 + sum(record.point)
    assert record.metrics == {"score": phone, "phone": phone}
    assert record.reward == pytest.approx(phone * (phone / 10.0) ** -0.07, rel=1e-5)


def test_a_file_of_one_s_own_is_a_space_and_its_table(tmp_path):
    lines = ["tile,unroll,ms", *(f"{tile},{unroll},{tile * unroll}" for tile in (8, 16) for unroll in (1, 2))]
    (tmp_path / "kernels.csv").write_text("\n".join(lines))
    settings = {
        "file": str(tmp_path / "kernels.csv"),
        "decisions": ["tile", "unroll"],
        "shown": {"time": "ms"},
    }
    config = {
        "space": {"name": "table"},
        "strategy": {"name": "grid"},
        "objective": {"kind": "minimise", "metric": "time"},
        "evaluator": {"name": "tabular", "settings": settings},
    }
    search = assemble(SearchSpec.from_config(config), tmp_path)
    records = run(search, 4, 0, History(tmp_path), silent)
    assert records[0].name == outcome.best(records, 1)[0].name == "tile=8,unroll=1"
    assert [record.reward for record in records] == [-8, -16, -16, -32]
    del settings["decisions"]
    with pytest.raises(ValueError, match="settings.decisions is missing"):
        assemble(SearchSpec.from_config(config), tmp_path)


def test_a_setting_that_a_strategy_does_not_take_is_said():
    with pytest.raises(ValueError, match="'evolution' does not take settings"):
        named("evolution", SPACE, size=3)
    with pytest.raises(KeyError, match="did you mean 'evolution'"):
        named("evolutoin", SPACE)


def test_records_survive_json():
    place = {"index": 0, "point": (1, 2), "rung": 1, "name": "12", "network": "12", "rewards": (0.5, None)}
    measured = Evaluation({"y": 0.1}, "nan", "a run", 3, 1.5, "why")
    record = Record(**place, cached=True, **dataclasses.asdict(measured))
    assert Record.from_json(record.to_json()) == record and record.evaluation == measured
    assert list(json.loads(record.to_json())) == [*place, "cached", *dataclasses.asdict(measured), "crc"]
