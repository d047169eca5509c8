"""Which rows of published tables are trained, what the others cost here, and that they can be trained."""

import pytest

from experiments import reproduce, train
from experiments.tables import committed, recipes
from experiments.tables.wanted import MOVED, NOT_MOVED, Wanted
from scaling import zoo
from scaling.cost.closed_form import totals
from scaling.runs.rows import Row
from scaling.runs.rows_csv import to_csv
from scaling.runs.spec import AugmentSpec, ModelSpec, RunSpec


def row(crop: str) -> Row:
    name = "cifar_resnet20"
    spec = RunSpec(model=ModelSpec(name=name), augment=AugmentSpec(crop=crop))
    counts = {"params": totals(zoo.get(name)).params, "macs": 40551050, "batch_stats": 0, "activations": 0}
    scaled = {"depth_factor": 1.0, "width_factor": 1.0, "resolution": 32, "phi": 0.0}
    told = {"dataset": "cifar10", "metrics": {"test_top1": 0.92}}
    return Row(crop, "ok", spec, name, "cifar_resnet", seed=0, **counts, **scaled, **told)


def test_settings_tell_rows_of_one_network_apart(tmp_path):
    study = tmp_path / "study"
    study.mkdir()
    moved = [row(crop) for crop in ("none", "pad")]
    (study / "rows.csv").write_text(to_csv(moved))
    for where, found in ((NOT_MOVED, "none"), (MOVED, "pad")):
        wanted = Wanted(zoo.get("cifar_resnet20"), "cifar10", where=(where,))
        assert [one.id for one in committed.find(wanted, "error", tmp_path)] == [found]


def test_a_recipe_trains_what_the_row_says_and_costs_what_its_docstring_says():
    found = {name: recipes.find(Wanted(zoo.get(name), "cifar10")) for name in ("cifar_resnet20", "wrn_28_10")}
    assert found["cifar_resnet20"].flags == ["--config=configs/cifar10_resnet.py:20"]
    assert [f"{recipe.flops:.1e}" for recipe in found.values()] == ["2.0e+15", "3.1e+17"]
    b0 = recipes.find(Wanted(zoo.get("efficientnet_b0"), "imagenet2012"))  # by the authors' padding
    assert b0 and b0.arch.name == "tf_efficientnet_b0"
    assert recipes.find(Wanted(zoo.get("cifar_resnet20"), "imagenet2012")) is None


def test_the_list_says_what_is_trained_and_what_the_rest_would_cost(capsys, monkeypatch):
    rates = {None: 1e12, zoo.get("lenet5_1998"): 1e9}  # what does less than the measured network has its own
    monkeypatch.setattr(recipes, "flops_a_second", lambda arch=None, batch=0: rates[arch])
    reproduce.main(["--list", "lenet5", "cifar-resnet-6"])
    lines = capsys.readouterr().out.splitlines()
    lenet, resnet = (i for i, line in enumerate(lines) if not line.startswith(" "))
    assert lines[lenet].startswith("lenet5 ") and "runs 0" in lines[lenet + 1]
    assert lines[resnet].endswith("0 of 6 accuracies trained, 1 without a config")
    original = recipes.find(Wanted(zoo.get("lenet5_1998"), "mnist", where=(NOT_MOVED,)))
    assert lines[resnet - 2].split()[3:5] == ["open,", f"{original.flops / 1e9 / 3600:.2g}"]
    hours = recipes.find(Wanted(zoo.get("cifar_resnet20"), "cifar10")).flops / 1e12 / 3600
    assert lines[resnet + 1].split()[:3] == ["ResNet-20:", "open,", f"{hours:.2g}"]


def test_a_row_is_trained_by_its_config(monkeypatch, tmp_path, capsys):
    told = []
    monkeypatch.setattr(train, "main", lambda argv: told.append(argv) or 0)
    words = ["cifar-resnet-6", "--train=ResNet-32", f"--workdir={tmp_path}", "--config.seed=3"]
    assert reproduce.main(words) == 0
    assert told == [["--config=configs/cifar10_resnet.py:32", "--config.seed=3", f"--workdir={tmp_path}"]]
    for words, message in (
        (
            ["cifar-resnet-6", "--train=ResNet-33", f"--workdir={tmp_path}"],
            "no config trains it; did you mean",
        ),
        (["cifar-resnet-6", "--train=ResNet-1202", f"--workdir={tmp_path}"], "rows with one are 'ResNet-20'"),
        (["cifar-resnet-6", "--train=ResNet-32"], "where to train"),
    ):
        with pytest.raises(ValueError, match=message):
            reproduce.main(words)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["lenet5", "--config.seed=1"], "--config.seed=1 is for training a row: add --train=ROW"),
        (["lenet5", "--workdir=runs/x"], "--workdir=runs/x is for training a row"),
        (["--list", "--workdir=runs/x"], "--workdir=runs/x is for training a row"),
        (["lenet5", "--seeds=-1"], "--seeds=-1 is for tables of searches: name one of nasbench201,"),
        (
            ["lenet5", "--train=LeNet-5", "--workdir=runs/x", "--seeds=3"],
            "--seeds=3 is for tables of searches",
        ),
    ],
)
def test_a_flag_that_would_not_be_read_is_refused(words, message):
    with pytest.raises(ValueError, match=message):
        reproduce.main(words)
