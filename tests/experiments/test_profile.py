"""The profile command: one row a model, per layer on request, errors that name the nearest."""

import csv

import pytest

from experiments import profile
from scaling import zoo
from scaling.cost.counting import count


def table(capsys, *argv: str) -> list[dict[str, str]]:
    profile.main([*argv, "--format=csv"])
    return list(csv.DictReader(capsys.readouterr().out.splitlines()))


def test_one_row_a_model_with_the_counted_integers(capsys):
    rows = table(capsys, "--model=wrn_16_4,cifar_resnet20")
    assert [row["model"] for row in rows] == ["wrn_16_4", "cifar_resnet20"]
    for row in rows:
        cost = count(zoo.get(row["model"]))
        counted = (cost.params, cost.params_with_bn_stats, cost.macs, cost.flops, cost.activations)
        columns = ("params", "params with BN statistics", "MACs", "FLOPs (2 x MACs)", "activations")
        assert tuple(int(row[column]) for column in columns) == counted


def test_all_means_every_name_of_the_zoo():
    assert profile._names("all") == zoo.names()


def test_markdown_rows_have_as_many_cells_as_the_header(capsys):
    profile.main(["--model=cifar_resnet20", "--resolution=16"])
    lines = capsys.readouterr().out.strip().splitlines()
    assert len({line.count("|") for line in lines}) == 1 and len(lines) == 3
    assert "| 16 |" in lines[2]


def test_layers_come_first_and_add_up(capsys):
    profile.main(["--model=cifar_resnet20", "--layers", "--format=csv"])
    layers, totals = (
        list(csv.DictReader(part.splitlines())) for part in capsys.readouterr().out.strip().split("\n\n")
    )
    for column in ("params", "MACs", "activations"):
        assert sum(int(row[column]) for row in layers) == int(totals[0][column])


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--model=resnet51"], "did you mean 'resnet50'"),
        (["--model=resnet18", "--resolution=0"], "resolution=0"),
        (["--model=resnet18", "--batch=0"], "--batch=0"),
    ],
)
def test_bad_input_says_what_to_do(argv, message):
    with pytest.raises((KeyError, ValueError), match=message):
        profile.main(argv)
