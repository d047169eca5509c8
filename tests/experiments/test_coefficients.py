"""The coefficients command on digits with simulated training: what it trains, halves, ranks and writes."""

import dataclasses
import json
import sys

import pytest

from experiments import cli, coefficients, sweep
from experiments.coefficients import CSV, MARKDOWN, PICTURE, GridPlan, at_length, points
from scaling.rules.factors import COMPOUND, UNIFORM
from scaling.runs import store
from scaling.runs.rows import write_row
from scaling.runs.spec import ModelSpec, RunSpec, ScheduleSpec, TrainSpec
from scaling.sweeps import on_ray
from scaling.sweeps.executors import LocalExecutor
from scaling.sweeps.run import lost_row

CONFIG = """
def get_config():
    return {"data": {"source": "digits"}, "model": {"name": "cifar_resnet20", "base_depth": 5 / 3},
            "train": {"duration": "90 steps"}, "schedule": {"warmup": "9 steps"}}

def get_grid():
    return {"step": 0.2, "tolerance": 0.1, "seeds": 2}
"""
COPY = "import pathlib, shutil, sys; run = pathlib.Path(sys.argv[1]); "
COPY += "shutil.copyfile(run.parent.parent / 'rows' / run.name, run / 'row.json')"


@pytest.fixture
def command(tmp_path, monkeypatch):
    """Call the command on a small config whose networks are the better the deeper; returns its exit code."""
    (tmp_path / "x.py").write_text(CONFIG)

    def train(directory):
        spec = RunSpec.from_config(json.loads((directory / "config.json").read_text()))
        deeper = spec.model.alpha if spec.model.phi else 0.5
        row = dataclasses.replace(
            lost_row(spec, "ok", "", 1.0), macs=2 * 10**6 if spec.model.phi else 10**6, params=9,
            steps=int(spec.train.duration.split()[0]), metrics={"val_top1": 0.5 + 0.1 * deeper + 0.001 * spec.seed, "test_top1": 0.6},
        )  # fmt: skip
        write_row(tmp_path / "rows" / spec.id, row)
        return [sys.executable, "-I", "-S", "-c", COPY, str(directory)]

    monkeypatch.setattr(sweep, "train_command", train)
    paths = [f"--config={tmp_path / 'x.py'}", f"--workdir={tmp_path / 'out'}"]
    return lambda *more: coefficients.main([*paths, "--workers=4", *more])


def test_it_trains_the_grid_and_its_base_and_ranks_them(command, tmp_path, capsys):
    assert command() == 0
    said = capsys.readouterr().out
    assert "8 points of the grid and their base, 2 seeds each" in said and "18 to run" in said
    assert "| 1 | (2, 1, 1) depth |" in said
    for name in (MARKDOWN, CSV, PICTURE, "rows.csv", "table.md"):
        assert (tmp_path / "out" / name).exists()
    assert command() == 0 and "0 to run" in capsys.readouterr().out


@pytest.mark.nightly
def test_points_go_to_the_engine_that_is_named(command, monkeypatch):
    made = []

    class Engine(LocalExecutor):
        def __init__(self, workers, address):
            made.append((workers, address))
            super().__init__(workers, grace=0.2)

    monkeypatch.setattr(on_ray, "RayExecutor", Engine)
    assert command("--engine=ray", "--address=here:1") == 0 and made == [(4, "here:1")]
    with pytest.raises(ValueError, match="--address=here:1 is of a Ray cluster"):
        command("--address=here:1", "--config.train.batch=64")


@pytest.mark.nightly
def test_the_report_needs_rows_alone(command, tmp_path, capsys):
    command()
    before = (tmp_path / "out" / MARKDOWN).read_text()
    for run in store.scan(tmp_path / "out").rows:
        (tmp_path / "out" / run / "row.json").unlink()  # rows.csv is left
    capsys.readouterr()
    assert command("--report") == 0 and (tmp_path / "out" / MARKDOWN).read_text() == before
    assert "to run" not in capsys.readouterr().out


@pytest.mark.nightly
def test_halving_trains_the_best_part_longer_and_is_judged_against_the_grid(command, capsys):
    assert command("--halving") == 0
    said = capsys.readouterr().out
    assert "rung of 30 steps: 8 points" in said and "best 3 go on: " in said and "(2, 1, 1)" in said
    assert "rung of 90 steps: 3 points" in said
    assert command() == 0
    assert "30 steps for all 8 points, 90 for the best 3: saves 29%" in capsys.readouterr().out


def test_points_hold_the_single_axes_uniform_and_the_papers(tmp_path):
    model = ModelSpec("cifar_resnet20", base_depth=5 / 3, rounding="whole", base_resolution=20)
    rules, notes = points(model, GridPlan())
    assert len(rules) == 12 and not notes and COMPOUND in rules and UNIFORM in rules
    assert {rule.axes for rule in rules if len(rule.axes) == 1} == {("depth",), ("width",), ("resolution",)}
    coarse, _ = points(model, GridPlan(step=1.0, tolerance=0.0))
    assert {rule.axes for rule in coarse if len(rule.axes) == 1} == {("depth",), ("width",), ("resolution",)}


def test_points_that_round_to_one_network_are_trained_once():
    rules, notes = points(ModelSpec("cifar_resnet20", base_resolution=8), GridPlan())
    assert len(rules) + len(notes) == 12 and "rounds to the same network as" in notes[0]


def test_a_shorter_rung_shortens_its_schedule_too():
    base = RunSpec(
        train=TrainSpec(duration="3 epochs"),
        schedule=ScheduleSpec(warmup="10 steps", boundaries=("2 epochs",)),
    )
    cut = at_length(base, [COMPOUND], 1, 1 / 3)
    assert [trial.spec.train.duration for trial in cut] == ["1 epochs"]
    assert cut[0].spec.schedule.warmup == "3 steps" and cut[0].spec.schedule.boundaries == (
        "0.666667 epochs",
    )


@pytest.mark.parametrize(
    ("flags", "problem"),
    [(["--config.model.phi=2"], "model.phi=2"), (["--seeds=0"], "seeds=0"), (["--eta=1"], "eta=1"), (["--step=0"], "step=0")],
)  # fmt: skip
def test_what_makes_no_grid_is_refused(command, flags, problem):
    with pytest.raises(ValueError, match=problem):
        command(*flags)


@pytest.mark.parametrize("name", ["coefficients_fashion", "coefficients_photos"])
def test_no_two_points_of_a_committed_study_are_one_network(name):
    path = f"configs/{name}.py"
    rules, notes = points(cli.load_spec(path, {}).model, GridPlan.read(path, {}))
    assert not notes and 7 <= len(rules) <= 14
