"""Counts equal the published ones as integers, for every row of `counts.csv`.

By arithmetic, which tests/cost/test_solve.py holds equal to the walk over the network, and by a walk for the
smallest row of each set of block kinds; the smallest row's walk of each family is nightly, the walks of the
other rows are exhaustive.
"""

import csv
from pathlib import Path

import pytest

from scaling import zoo
from scaling.cost.closed_form import totals
from scaling.cost.counting import count
from scaling.rules.scale import scale

COLUMNS = ("resolution", "params", "params_with_bn_stats", "macs", "activations")
with open(Path(__file__).with_name("counts.csv")) as file:
    ROWS = {row["reference_model"]: row for row in csv.DictReader(file)}

# Reference families that this zoo holds
FAMILIES = ("EfficientNet", "EfficientNetV2", "EfficientNet-Lite", "ResNet", "ResNeXt", "WideResNet")
FAMILIES += ("ResNet CIFAR", "WRN CIFAR", "MobileNetV1", "MobileNetV2", "RegNet")

# google/automl builds its efficientnet-b3 without the 0.9 rule: effnetv2_model_test.py
AUTOML_B3 = {
    "resolution": 300,
    "params": 12227212,
    "params_with_bn_stats": 12314268,
    "macs": 1756871292,
    "activations": 21941236,
}


def figures(arch, cost) -> dict[str, int]:
    return {column: getattr(arch if column == "resolution" else cost, column) for column in COLUMNS}


def golden(model: str):
    """The network of a row, and the row's figures."""
    row = ROWS[model]
    arch = zoo.get(row["name"]).replace(resolution=int(row["resolution"]))
    return arch, {column: int(row[column]) for column in COLUMNS}


def walked() -> list:
    """All rows, marked; the smallest of their kinds of block are not."""
    shallow = sorted(ROWS, key=lambda model: golden(model)[0].depth, reverse=True)
    archs = {model: golden(model)[0] for model in shallow}
    kinds = {frozenset(type(s.block) for s in arch.stem + arch.stages): m for m, arch in archs.items()}
    families = {arch.family: model for model, arch in archs.items()}
    marks = dict.fromkeys(ROWS, pytest.mark.exhaustive) | dict.fromkeys(
        families.values(), pytest.mark.nightly
    )
    marks |= dict.fromkeys(kinds.values(), ())
    return [pytest.param(model, marks=marks[model]) for model in ROWS]


@pytest.mark.parametrize("model", ROWS)
def test_arithmetic_equals_the_golden_row(model):
    arch, expected = golden(model)
    assert figures(arch, totals(arch)) == expected


@pytest.mark.parametrize("model", walked())
def test_counts_equal_the_golden_row(model):
    arch, expected = golden(model)
    assert figures(arch, count(arch)) == expected


@pytest.mark.parametrize("name", sorted({row["name"] for row in ROWS.values()}))
def test_a_name_has_a_resolution_of_its_golden_rows(name):
    published = {int(row["resolution"]) for row in ROWS.values() if row["name"] == name}
    assert zoo.get(name).resolution in published


def test_b3_without_the_nine_tenths_rule_is_the_one_of_google_automl():
    b3 = scale(zoo.get("efficientnet_b0"), depth=1.4, width=1.2, rounding="efficientnet_v2")
    b3 = b3.replace(resolution=300)
    assert figures(b3, count(b3)) == AUTOML_B3


def test_the_golden_table_holds_every_reference_row_of_these_families(shared):
    with open(shared / "reference" / "computed_counts.csv") as file:
        reference = {row["model"]: row for row in csv.DictReader(file) if row["family"] in FAMILIES}
    odd = reference.pop("efficientnet-b3 as built by google/automl")
    assert {column: int(odd[column]) for column in COLUMNS} == AUTOML_B3
    assert set(ROWS) == set(reference)
    for model, row in reference.items():
        assert [ROWS[model][column] for column in COLUMNS] == [row[column] for column in COLUMNS], model
