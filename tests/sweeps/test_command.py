"""The commands, with a stand-in for training: what they print, leave on disk and return."""

import json
import sys

import pytest

from experiments import report, sweep
from scaling.reports.build import CSV, PAGE, PICTURE, TABLE
from scaling.runs import store
from scaling.runs.estimate import Estimate
from scaling.runs.rows import write_row
from scaling.runs.spec import RunSpec
from scaling.runs.workdir import ESTIMATE, ROW
from scaling.sweeps.run import lost_row

CONFIG = """
def get_config():
    return {"data": {"source": "digits"}, "train": {"batch": 64}}

def get_sweep():
    return {"grid": {"model.phi": [0.0, 1.0]}, "seeds": [0, 1]}
"""

# Copies a prepared row, but for seed 1 at phi 1, which dies while the file "mine" is there.
FAKE = """
import json, pathlib, shutil, sys
run = pathlib.Path(sys.argv[1])
config = json.loads((run / "config.json").read_text())
if config["seed"] == 1 and config["model"]["phi"] == 1 and (run.parent.parent / "mine").exists():
    sys.exit("stepped on it")
shutil.copyfile(run.parent.parent / "rows" / run.name, run / "row.json")
"""


SMALL = CONFIG.replace('"data":', '"model": {"name": "cifar_resnet20", "base_resolution": 8}, "data":')


@pytest.fixture
def command(tmp_path, monkeypatch):
    """Call the sweep command on a small config; returns its exit code."""
    (tmp_path / "x.py").write_text(CONFIG)
    (tmp_path / "mine").touch()

    def train(directory):
        spec = RunSpec.from_config(json.loads((directory / "config.json").read_text()))
        write_row(tmp_path / "rows" / spec.id, lost_row(spec, "ok", "", 1.0))
        return [sys.executable, "-I", "-S", "-c", FAKE, str(directory)]

    monkeypatch.setattr(sweep, "train_command", train)
    return lambda *more: sweep.main([f"--config={tmp_path / 'x.py'}", f"--workdir={tmp_path / 'out'}", *more])


def lines_of(text, word):
    return [line for line in text.splitlines() if word in line]


def test_a_sweep_tells_of_each_trial_and_names_what_it_wrote(command, tmp_path, capsys):
    assert command("--workers=2") == 1
    said = capsys.readouterr().out
    assert len(lines_of(said, "/4] ")) == 4 and len(lines_of(said, " failed ")) == 1
    for artefact in (CSV, TABLE, PICTURE, PAGE):
        assert str(tmp_path / "out" / artefact) in said and (tmp_path / "out" / artefact).exists()
    assert "1 of 4 trials have no result" in said


def test_again_it_finds_all_rows_and_retry_runs_the_lost_one(command, tmp_path, capsys):
    command()
    capsys.readouterr()
    assert command() == 1
    said = capsys.readouterr().out
    assert "0 to run" in said and "--retry" in said and not lines_of(said, "/4] ")
    (tmp_path / "mine").unlink()
    assert command("--retry") == 0
    assert len(lines_of(capsys.readouterr().out, "[1/1]")) == 1


def test_a_dry_run_tells_each_trial_starts_none_and_is_remembered(command, tmp_path, capsys, monkeypatch):
    (tmp_path / "x.py").write_text(SMALL)
    monkeypatch.setattr(sweep, "estimates", lambda plans: [Estimate(90.0, 10**9)] * len(plans))
    assert command("--dry_run", "--workers=2") == 0
    said = capsys.readouterr().out
    assert len(lines_of(said, "about 1 min 30 s  about 1.00 GB")) == 4 and "269 k params" in said
    assert "in all about 3 min 0 s with --workers=2" in said
    written = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert len(written) == 4 and {path.name for path in written} == {ESTIMATE}
    assert command() == 1
    (lost,) = (row for row in store.scan(tmp_path / "out").rows.values() if row.status == "failed")
    assert (lost.estimated_seconds, lost.estimated_memory) == (90.0, 10**9)


def test_a_dry_run_tells_what_has_a_row_and_what_is_refused(command, tmp_path, capsys, monkeypatch):
    (tmp_path / "x.py").write_text(SMALL)
    command()
    (tmp_path / "x.py").write_text(SMALL.replace("[0.0, 1.0]", "[0.0, -20.0]"))
    monkeypatch.setattr(sweep, "estimates", lambda plans: [Estimate(1.0, 1)] * len(plans))
    capsys.readouterr()
    assert command("--dry_run") == 1
    said = capsys.readouterr().out
    assert len(lines_of(said, "has a row: ok")) == 2
    assert (
        len(lines_of(said, "refused: config.model.phi=-20 gives cifar_resnet20 a side of 0.489 pixels")) == 2
    )


def test_a_network_that_cannot_be_is_refused_before_anything_is_written(command, tmp_path):
    (tmp_path / "x.py").write_text(CONFIG.replace("1.0]", "-20.0]"))
    with pytest.raises(ValueError, match="trial model.phi=-20.0 seed=0 cannot"):
        command()
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("workers", ["0", "-1", "two"])
def test_no_workers_are_an_error_before_anything_is_printed(command, capsys, workers):
    with pytest.raises(SystemExit, match="2"):
        command(f"--workers={workers}")
    said = capsys.readouterr()
    assert not said.out and "must be a whole number of at least 1" in said.err


def test_a_damaged_row_is_told_and_the_rest_goes_on(command, tmp_path, capsys):
    command()
    victim = next(iter(store.scan(tmp_path / "out").rows))
    (tmp_path / "out" / victim / ROW).write_text("{")
    assert command() == 1
    assert lines_of(capsys.readouterr().out, f"bad row: {tmp_path / 'out' / victim}")
    assert report.main([f"--workdir={tmp_path / 'out'}"]) is None
    assert victim in (tmp_path / "out" / PAGE).read_text()


def test_a_flag_that_the_sweep_would_undo_is_an_error(command):
    with pytest.raises(ValueError, match=r"config\.model\.phi=2 is set by get_sweep"):
        command("--config.model.phi=2")


def test_a_flag_that_changes_the_recipe_makes_other_runs(command, capsys):
    command()
    capsys.readouterr()
    command("--config.train.batch=32")
    said = capsys.readouterr().out
    assert "0 have rows, 4 to run" in said and "4 runs" in said and "not among these trials" in said


def test_trials_may_be_picked_by_their_values(command, capsys, monkeypatch):
    """Told as numbers are, by keys of the sweep and of the base."""
    monkeypatch.setattr(sweep, "estimates", lambda plans: [Estimate(1.0, 1)] * len(plans))
    assert command("--only=model.phi=1", "--only=data.source=digits", "--dry_run") == 0
    said = capsys.readouterr().out
    assert "2 trials" in said and len(lines_of(said, "model.phi=1.0")) == 2 and "model.phi=0.0" not in said


@pytest.mark.parametrize(
    "told, words",
    [
        ("model.phi=7", r"no trial has model\.phi=7: of 4 trials model\.phi is 0\.0, 1\.0"),
        ("model.fi=1", r"model\.fi is not a field"),
        ("seed", "--only=seed names no value"),
    ],
)
def test_what_no_trial_has_is_told(command, told, words):
    with pytest.raises(ValueError, match=words):
        command(f"--only={told}")


def test_a_config_without_a_sweep_is_an_error(tmp_path):
    (tmp_path / "x.py").write_text("def get_config():\n    return {}\n")
    with pytest.raises(ValueError, match=r"no get_sweep\(\)"):
        sweep.main([f"--config={tmp_path / 'x.py'}", f"--workdir={tmp_path / 'out'}"])
    assert not (tmp_path / "out").exists()


def test_several_directories_need_a_place_to_write(tmp_path):
    with pytest.raises(ValueError, match="--out"):
        report.main([f"--workdir={tmp_path}", f"--workdir={tmp_path}"])
