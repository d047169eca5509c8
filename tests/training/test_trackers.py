"""Trackers hear of a run as it goes, by their real packages where those are installed; none stops it."""

import sys

import pytest

from scaling.runs.spec import TRACKERS as NAMES
from scaling.training import run, trackers
from scaling.training.progress import Silent
from scaling.training.trackers import TRACKERS, Told, Trackers

CONFIG = {"seed": 3, "model.name": "lenet5", **{f"key{i}": i for i in range(120)}, "none": None, "list": [1]}


class Heard(Silent):
    """A reporter that keeps its lines."""

    def __init__(self):
        self.lines = []

    def line(self, text):
        self.lines.append(text)


class Recorder:
    """A tracker that keeps what it is told, and may break at one of its calls."""

    def __init__(self, told, breaks=""):
        self.told, self.breaks, self.calls = told, breaks, []
        self._do("start")

    def log(self, step, values):
        self._do("log", step, values)

    def finish(self, summary):
        self._do("finish", summary)

    def _do(self, *call):
        self.calls.append(call)
        if call[0] == self.breaks:
            raise ConnectionError("nobody answers\nfor a minute")


def told_of(tmp_path):
    return Told("0123456789ab", "lenet5 seed 3", tmp_path, CONFIG)


def found_by_wandb(tmp_path):
    import wandb

    wandb.teardown()  # its service writes on until then
    (file,) = (tmp_path / "wandb").rglob("*.wandb")
    return all(word in file.read_bytes() for word in (b"loss", b"model.name", b"test_top1"))


def found_by_mlflow(tmp_path):
    from mlflow import MlflowClient

    client = MlflowClient()
    experiment = client.get_experiment_by_name(trackers.PROJECT)
    (made,) = client.search_runs([experiment.experiment_id])
    loss = [(one.step, one.value) for one in client.get_metric_history(made.info.run_id, "train/loss")]
    assert made.data.params["model.name"] == "lenet5" and len(made.data.params) == len(CONFIG)
    return (
        made.info.status == "FINISHED" and loss == [(1, 0.5), (2, 0.25)] and "test_top1" in made.data.metrics
    )


def found_by_trackio(tmp_path):
    return any(b"train/loss" in path.read_bytes() for path in (tmp_path / "trackio").rglob("*.db*"))


FOUND = {"wandb": found_by_wandb, "mlflow": found_by_mlflow, "trackio": found_by_trackio}


def test_a_config_names_the_trackers_that_there_are():
    assert set(NAMES) == set(TRACKERS) == set(FOUND)


@pytest.mark.nightly
@pytest.mark.parametrize("name", NAMES)
def test_a_real_tracker_without_a_network_keeps_what_it_is_told(name, tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "mlflow").as_uri())
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    pytest.importorskip(name, reason=f"{name} is not installed (pip install -e '.[{name}]')")
    heard = Heard()
    told = Trackers([name], told_of(tmp_path), heard.line)
    told.log(1, {"train/loss": 0.5})
    told.log(2, {"train/loss": 0.25})
    told.finish({"test_top1": 0.75})
    assert heard.lines == [] and FOUND[name](tmp_path)


@pytest.mark.parametrize("breaks", ["start", "log", "finish"])
def test_a_tracker_that_is_down_is_told_once_and_the_others_go_on(breaks, tmp_path, monkeypatch):
    made = []
    monkeypatch.setitem(TRACKERS, "wandb", lambda told: Recorder(told, breaks))
    monkeypatch.setitem(TRACKERS, "mlflow", lambda told: made.append(Recorder(told)) or made[0])
    heard = Heard()
    told = Trackers(["wandb", "mlflow"], told_of(tmp_path), heard.line)
    for step in (1, 2):
        told.log(step, {"train/loss": 0.5})
    told.finish({"test_top1": 0.75})
    told.finish()
    assert heard.lines == ["warning: tracker 'wandb' is left out: nobody answers"]
    assert [call[0] for call in made[0].calls] == ["start", "log", "log", "finish"]


def test_a_package_that_is_not_there_is_a_warning(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    heard = Heard()
    Trackers(["wandb"], told_of(tmp_path), heard.line).finish()
    assert heard.lines == ["warning: tracker 'wandb' is left out: pip install 'jax-compound[wandb]'"]


def test_a_run_tells_its_journal_and_its_scores(make_spec, tmp_path, monkeypatch):
    made = []
    monkeypatch.setitem(TRACKERS, "wandb", lambda told: made.append(Recorder(told)) or made[0])
    row = run(make_spec({"train.trackers": ["wandb"]}), tmp_path / "run", Silent())
    (_, *logged, finished), told = made[0].calls, made[0].told
    assert told.id == row.id and told.config["train.trackers"] == ["wandb"]
    assert {name.split("/")[0] for _, _, values in logged for name in values} == {
        "train",
        "validation",
        "test",
    }
    assert finished == ("finish", row.metrics)


def test_a_name_that_is_no_tracker_is_an_error(make_spec):
    with pytest.raises(ValueError, match="trackers.* must name some of .*did you mean 'wandb'"):
        make_spec({"train.trackers": ["wandbb"]})


def test_tensorboard_has_the_config(make_spec, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    run(make_spec({}), tmp_path / "run", Silent())
    read = EventAccumulator(str(tmp_path / "run" / "events")).Reload()
    content = read.PluginTagToContent("hparams")["_hparams_/session_start_info"]
    told = HParamsPluginData.FromString(content).session_start_info.hparams
    assert told["data.source"].string_value and "train.batch" in told
