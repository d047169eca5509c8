"""The tables of searches: what they print is what was searched, and the published bars are met."""

from __future__ import annotations

import functools
import os
from inspect import signature

import numpy as np
import pytest

from experiments import reproduce, search_table
from experiments.tables import nasbench201, settings, transfer
from experiments.tables.searches import (
    COMPARED,
    CONTROLLERS,
    MODEL_SEEDS,
    MODELS,
    Summary,
    Task,
    compare,
    search,
    seeds_of,
    share_of_cores,
)
from experiments.tables.settings import Tried
from search.core.space import Space
from search.core.table import Table
from search.strategies import catalogue
from search.strategies.candidates import Pool


@pytest.fixture
def task() -> Task:
    space = Space("small", np.zeros((3, 1, 4), np.int32))
    points = space.points()
    table = Table(space, {"val": points.sum(-1) + 0.1 * points[:, 0], "test": 10.0 * points.sum(-1)})
    return Task("small", table, "val", "test")


def test_summaries_report_the_test_column_of_what_validation_chose(task):
    small, large = search(task, "random", (5, 200), seeds=40)
    assert (small.evaluations, large.evaluations, large.seeds) == (5, 200, 40)
    exact = task.expectation(5)
    assert abs(small.mean - exact.mean) < 4 * exact.deviation / np.sqrt(40)
    assert large.mean > small.mean
    assert large.distinct > 50 and 3 < small.distinct <= 5  # of 64 points


def test_summaries_tell_how_near_the_signal_s_optimum_a_search_came(task):
    """The signal's optimum is (3, 3, 3); a budget of the whole space finds it, a memory sooner."""
    assert task.at_best_signal == task.optimum == 90
    without, with_memory = (
        search(task, f"random {memory} memory", (1, 60), seeds=40) for memory in ("without", "with")
    )
    assert without[0].signal_regret > without[1].signal_regret >= 0
    assert without[1].found < with_memory[1].found <= 1
    assert without[1].distinct < with_memory[1].distinct
    assert (with_memory[1].signal_regret == 0) == (with_memory[1].found == 1)


def test_an_offset_of_the_signal_changes_no_search(task):
    """Also one beside which float32 cannot tell most of the table's values apart."""
    far = Table(task.table.space, {name: column + 1e8 for name, column in task.table.columns.items()})
    (near,) = search(task, "evolution", (30,), 20)
    (moved,) = search(Task("far", far, "val", "test"), "evolution", (30,), 20)
    assert moved.mean == pytest.approx(near.mean + 1e8, abs=1e-3) and moved.found == near.found
    assert moved.distinct == near.distinct


def test_models_are_averaged_over_fewer_seeds():
    assert seeds_of("gp", 500) == MODEL_SEEDS and seeds_of("gp", 3) == 3 and seeds_of("random", 500) == 500


def test_tables_are_compared_in_the_order_asked_for(task):
    found = compare([task, task], ("random", "evolution"), (3,), seeds=2)
    assert [s.strategy for s in found] == ["random", "evolution"] * 2


def test_each_job_has_cores_of_its_own_that_are_all_of_them():
    everything = os.sched_getaffinity(0)
    for jobs in (1, 2, 100):
        cut = share_of_cores(jobs)
        assert len(cut) == min(jobs, len(everything))
        assert set().union(*cut) == everything and sum(map(len, cut)) == len(everything)


@pytest.mark.nightly
def test_processes_find_what_threads_find(shared):
    make = functools.partial(nasbench201.tasks, shared / "data/nas")
    strategies = "random with memory", "local_search without memory", "reinforce with memory"
    asked = make(), strategies, (5, 20), 3
    assert compare(*asked, again=make) == compare(*asked)


@pytest.mark.parametrize("name", settings.GRIDS)
def test_the_catalogues_own_settings_stand_in_the_middle_of_the_grids(name):
    middle = {key: values[len(values) // 2] for key, values in settings.GRIDS[name].items()}
    own = {"reinforce": catalogue.LOGITS, "lstm_reinforce": catalogue.LSTM, "lstm_ppo": catalogue.LSTM_PPO}
    defaults = {
        key: parameter.default for key, parameter in signature(catalogue.STRATEGIES[name]).parameters.items()
    }
    assert middle == {key: getattr(own[name], key) if name in own else defaults[key] for key in middle}


def test_a_setting_is_chosen_only_where_it_is_better_beyond_doubt():
    grid = {"rate": (1, 2, 3)}
    tried = [
        Tried({"rate": rate}, (regret, regret), 1.0) for rate, regret in ((1, 50.0), (2, 45.0), (3, 43.0))
    ]
    assert [settings.verdict(one, tried, grid) for one in tried] == ["", "catalogue, chosen", ""]
    better = [*tried[:2], Tried({"rate": 3}, (42.0, 42.0), 1.0)]
    assert [settings.verdict(one, better, grid) for one in better] == ["", "catalogue", "chosen"]


@pytest.mark.nightly
def test_settings_replace_the_catalogues(task):
    greedy, wild = (
        search(task, "evolution", (60,), 20, settings=(("population", 10), ("tournament", n)))[0]
        for n in (10, 1)
    )
    assert greedy.distinct < wild.distinct


@pytest.mark.parametrize("note", [nasbench201.NOTE, transfer.NOTE], ids=["nasbench201", "transfer"])
def test_the_notes_say_how_long_models_remember(note):
    assert f"never ask twice (up to {Pool().memory} evaluations)" in " ".join(note.split())


def test_regret_is_in_percent_of_random_s_and_doubt_is_marked(task):
    exact, best = task.expectation(5).mean, task.optimum
    half = Summary(task, "evolution", 5, (exact + best) / 2, 0.1, 5, 100)
    no_better = Summary(task, "evolution", 5, exact + 0.01, 10.0, 5, 100)
    assert transfer.regret(half) == "50"
    assert transfer.regret(no_better) == "100 !"
    one = Summary(task, "evolution", 5, best, 0.0, 5, 1)
    assert transfer.regret(one) == "0 !"


@pytest.mark.parametrize(("errors", "doubt"), [(1.9, True), (2.1, False)])
def test_the_standard_error_of_few_seeds_is_that_of_a_sample(task, errors, doubt):
    found = np.array([0.9, 1.1])
    error = np.std(found, ddof=1) / np.sqrt(len(found))
    mean = task.expectation(5).mean + errors * error
    summary = Summary(task, "evolution", 5, mean, float(found.std()), 5, len(found))
    assert transfer.regret(summary).endswith("!") is doubt


def test_the_command_says_what_it_has_and_what_it_needs(capsys, tmp_path):
    reproduce.main(["--list", "search-transfer"])
    assert "18 tables" in capsys.readouterr().out
    with pytest.raises(ValueError, match="did you mean 'nasbench201'"):
        reproduce.main(["nasbench20"])
    with pytest.raises(ValueError, match="--data=None is not a directory"):
        reproduce.main(["nasbench201"])
    with pytest.raises(ValueError, match=r"nasbench201.csv.gz cannot be read"):
        reproduce.main(["nasbench201", f"--data={tmp_path}"])
    with pytest.raises(ValueError, match="--seeds=0 must be"):
        reproduce.main(["nasbench201", f"--data={tmp_path}", "--seeds=0"])


def test_a_table_of_ones_own_is_searched_in_its_own_unit(capsys, tmp_path):
    path = tmp_path / "kernels.csv"
    lines = [f"{tile},{unroll},{tile * 2 + unroll}" for tile in (8, 16, 32, 64) for unroll in (1, 2, 4)]
    path.write_text("\n".join(["tile,unroll,ms", *lines]))
    common = [str(path), "--decisions=tile,unroll", "--signal=ms", "--evaluations=4", "--seeds=30"]
    search_table.main([*common, "--minimise", "--strategies=random,random_without_replacement"])
    printed = capsys.readouterr().out
    assert "kernels: 12 points, 2 decisions; 30 searches each." in printed
    assert "| best by the signal |  | 17 |" in printed and "| best of the table |  | 17 |" in printed
    means = [float(line.split("|")[3]) for line in printed.splitlines() if line.startswith("| random")]
    assert len(means) == 3 and all(17 < mean < 60 for mean in means)
    search_table.main([*common, "--strategies=evolution with memory"])
    assert "| best of the table |  | 132 |" in capsys.readouterr().out


def test_signal_and_score_have_a_sense_each(capsys, tmp_path):
    """Of a loss and an accuracy that agree, the searches' choice is reported near the best accuracy."""
    path = tmp_path / "networks.csv"
    lines = [f"{a},{b},{a + b},{50 - a - b},{a + b}" for a in range(8) for b in range(8)]
    path.write_text("\n".join(["a,b,loss,accuracy,ms", *lines]))
    command = [
        str(path),
        "--decisions=a,b",
        "--signal=loss",
        "--evaluations=16",
        "--seeds=30",
        "--strategies=random",
    ]

    def best(*flags):
        search_table.main([*command, *flags])
        lines = [
            line.split("|")[1:4] for line in capsys.readouterr().out.splitlines() if line.startswith("| best")
        ]
        return [float(cells[2]) for cells in lines]

    assert best("--minimise", "--score=accuracy") == [50, 50]
    assert best("--minimise", "--score=ms", "--minimise_score") == best("--minimise") == [0, 0]
    assert best("--score=accuracy") == [36, 50]
    with pytest.raises(ValueError, match="--minimise_score without a --score"):
        best("--minimise", "--minimise_score")


@pytest.mark.parametrize(
    ("flag", "says"),
    [
        ("--evaluations=0", "at least 1"),
        ("--seeds=0", "at least 1"),
        ("--strategies=annealing", "there are grid"),
        ("--strategies=", "nothing cannot search.*: there are grid"),
        ("--strategies=random,nsga2", r"\['nsga2'\] cannot search for one number: there are (?!.*nsga2)"),
    ],
)
def test_the_command_refuses_what_cannot_be_searched(tmp_path, flag, says):
    with pytest.raises(ValueError, match=says):
        search_table.main([str(tmp_path / "x.csv"), "--decisions=a", "--signal=b", flag])


EVOLUTION, LEARNED = "evolution without memory", [f"{name} with memory" for name in CONTROLLERS]


SEEDS = 100


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("CIFAR-10", marks=pytest.mark.exhaustive),
        pytest.param("CIFAR-100", marks=pytest.mark.exhaustive),
        pytest.param("ImageNet16-120", marks=pytest.mark.exhaustive),
    ],
)
def test_the_searches_reach_what_is_published(shared, name):
    (task,) = [task for task in nasbench201.tasks(shared / "data/nas") if task.name == name]
    random = "random without memory"
    summaries = compare([task], (random, EVOLUTION, *LEARNED), (100, 200), SEEDS)
    found = {(s.strategy, s.evaluations): s.mean for s in summaries}
    for n in (100, 200):
        exact = task.expectation(n)
        assert abs(found[random, n] - exact.mean) < 3 * exact.deviation / np.sqrt(SEEDS)
        for strategy in (EVOLUTION, *LEARNED):
            assert found[strategy, n] > exact.mean + 2 * exact.deviation / np.sqrt(SEEDS)
    if name == "CIFAR-10":
        assert found[EVOLUTION, 100] >= 93.93 and found[EVOLUTION, 200] >= 94.14
        assert max(found[strategy, 100] for strategy in LEARNED) >= 94.00
        assert max(found[strategy, 200] for strategy in LEARNED) >= 94.20


@pytest.mark.exhaustive
def test_models_find_the_signals_optimum_more_often_than_controllers(shared):
    for task in nasbench201.tasks(shared / "data/nas"):
        (learned,) = search(task, "reinforce with memory", (100,), 200)
        for name in MODELS:
            (model,) = search(task, name, (100,), MODEL_SEEDS)
            assert model.found > learned.found, (task.name, name)


@pytest.mark.exhaustive
def test_one_setting_beats_random_search_on_every_table(shared):
    tasks = transfer.tasks(shared / "data/nas")
    assert len(tasks) == 18
    for summary in compare(tasks, COMPARED[2:], (200,), 500):
        error = summary.deviation / np.sqrt(summary.seeds)
        assert summary.mean > summary.task.expectation(200).mean + 2 * error, summary
