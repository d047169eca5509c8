"""The whole method with a stand-in for training: what each step takes from the one before, and writes."""

import dataclasses
import json
import sys

import pytest

from experiments import cli, pipeline, sweep
from experiments.pipeline import CURVE, GRID, SEARCH, SUMMARY, PipelineSpec
from scaling.arch.arch import Arch
from scaling.cost.counting import count
from scaling.runs import store
from scaling.runs.resolve import resolve
from scaling.runs.rows import write_row
from scaling.runs.spec import RunSpec
from scaling.sweeps.run import lost_row
from search.core.evaluation import Evaluation
from search.runs import assemble

COPY = "import pathlib, shutil, sys; run = pathlib.Path(sys.argv[1]); "
COPY += "shutil.copyfile(sys.argv[2] + '/' + run.name, run / 'row.json')"
BASE = {
    "name": "efficientnet_b0",
    "stages": [1, 2],
    "base_width": 0.5,
    "base_resolution": 16,
    "rounding": "whole",
}
CONFIG = {
    "phis": [0.0, 1.0],
    "seeds": 2,
    "rival": BASE,
    "grid": {"step": 0.5, "tolerance": 0.3, "seeds": 2},
    "search": {
        "evaluations": 5,
        "space": {"name": "mnasnet", "settings": {"base": BASE, "repeats": [0, 1]}},
        "strategy": {"name": "random"},
        "objective": {"kind": "product", "cost": "macs", "target": 1e6},
        "run": {"data": {"source": "digits"}},
        "final": {"changes": {"train": {"duration": "8 steps"}}},
    },
}


class Candidates:
    """Networks of more parameters are better."""

    stateful = False

    def __init__(self, space, *_, **__):
        self._space = space

    def __call__(self, points, rungs):
        for point in points:
            cost = count(self._space.decode(point))
            yield Evaluation({"val_top1": cost.params / 1e6, "macs": float(cost.macs)})


@pytest.fixture
def command(tmp_path, monkeypatch):
    """Call the command on networks that are the better the wider; returns its exit code."""
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))

    def train(directory):
        spec = RunSpec.from_config(json.loads((directory / "config.json").read_text()))
        cost = count(resolve(spec.model, 10, 1)[0])
        score = 0.5 + 0.1 * (spec.model.beta if spec.model.phi else 0) + 0.001 * spec.seed
        row = dataclasses.replace(
            lost_row(spec, "ok", "", 1.0), macs=cost.macs, params=cost.params, steps=8, metrics={"val_top1": score, "test_top1": score}
        )  # fmt: skip
        write_row(tmp_path / "rows" / spec.id, row)
        return [sys.executable, "-I", "-S", "-c", COPY, str(directory), str(tmp_path / "rows")]

    monkeypatch.setattr(sweep, "train_command", train)
    monkeypatch.setattr(assemble, "Training", Candidates)
    paths = [f"--config={tmp_path / 'config.json'}", f"--workdir={tmp_path / 'out'}"]
    return lambda *more: pipeline.main([*paths, "--workers=4", *more])


@pytest.mark.nightly
def test_what_is_found_is_gridded_and_scaled_beside_the_rival(command, tmp_path, capsys):
    assert command() == 0
    out = tmp_path / "out"
    found = Arch.from_dict(json.loads((out / SEARCH / "best" / "genotype.json").read_text())["arch"])
    assert {row.spec.model.arch for row in store.scan(out / GRID).rows.values()} == {found}
    rows = store.scan(out / CURVE).rows.values()
    assert len(rows) == 2 * 2 * 2 and {row.steps for row in rows} == {8}
    widest = max(row.spec.model.beta for row in store.scan(out / GRID).rows.values() if row.phi)
    assert {row.spec.model.beta for row in rows} == {widest}  # the best coefficients, for both bases
    assert {row.spec.model.arch is None for row in rows} == {True, False}
    text = (out / SUMMARY).read_text()
    assert text.count(found.name) == 2 and text.count("| efficientnet_b0") == 2
    assert all(
        (out / link).exists() for link in ("search/leaderboard.md", "grid/coefficients.md", "curve/table.md")
    )

    capsys.readouterr()
    assert command() == 0
    said = capsys.readouterr().out
    assert "5 of 5 evaluated" in said and said.count("0 to run") == 2


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"phis": [1.0]}, "phis="), ({"seeds": 0}, "seeds=0"), ({"rivals": {}}, "config.rivals"), ({"grid": {"steps": 1}}, "grid.steps")],
)  # fmt: skip
def test_a_config_that_makes_no_curve_is_refused(changes, said):
    with pytest.raises(ValueError, match=said):
        PipelineSpec.from_config({**CONFIG, **changes})


def test_the_committed_config_is_a_pipeline():
    spec = PipelineSpec.from_config(cli.read_config("configs/pipeline.py"))
    assert PipelineSpec.from_config(json.loads(json.dumps(spec.to_dict()))) == spec
