"""Exhaustive searches become one table; what is missing or does not compare is refused."""

from __future__ import annotations

import csv

import pytest

from experiments import tabulate
from search.reports.source import FinishedSearch
from search.runs.history import Record
from search.spaces import nasbench201
from search.spaces.catalogue import named

SPACE = {"name": "nasbench201", "settings": {"operations": ["skip_connect", "nor_conv_3x3"]}}
POINTS = named(SPACE["name"], **SPACE["settings"]).points().tolist()


def search(tmp_path, seed: int, points=POINTS, steps: str = "10 steps") -> FinishedSearch:
    """A search whose metric is the seed plus the number of convolutions."""
    records = tuple(
        Record(
            index=i,
            point=tuple(point),
            name=nasbench201.write([2 * value + 1 for value in point]),
            network="",
            rewards=(0.0,),
            cached=False,
            metrics={"val_top1": seed + sum(point), "params": 7},
            status="ok",
        )
        for i, point in enumerate(points)
    )
    config = {
        "space": SPACE,
        "strategy": {"name": "grid"},
        "run": {"seed": seed, "train": {"duration": steps}},
    }
    return FinishedSearch(tmp_path, config, records)


def test_a_line_has_each_seed_s_value_of_its_point(tmp_path, monkeypatch, capsys):
    made = [search(tmp_path, seed) for seed in (0, 1)]
    monkeypatch.setattr(tabulate, "read_searches", lambda _: made)
    out = tmp_path / "made" / "table.csv"
    tabulate.main(["a", "b", f"--out={out}"])
    rows = list(csv.DictReader(out.open()))
    assert [[int(row[f"decision_{i}"]) for i in range(6)] for row in rows] == POINTS
    for row, point in zip(rows, POINTS):
        assert (float(row["val_top1_0"]), float(row["val_top1_1"])) == (sum(point), 1 + sum(point))
        assert row["arch"].count("3x3") == sum(point) and row["params"] == "7"
    assert "64 points" in (said := capsys.readouterr().out) and "correlation 1.000" in said


def test_what_does_not_compare_is_refused(tmp_path):
    whole = search(tmp_path, 0)
    with pytest.raises(ValueError, match="each must have its own"):
        tabulate.tabulate([whole, whole], "val_top1")
    with pytest.raises(ValueError, match=r"differ in run\.train\.duration"):
        tabulate.tabulate([whole, search(tmp_path, 1, steps="20 steps")], "val_top1")
    with pytest.raises(ValueError, match=r"no line for point \[1, 1, 1, 1, 1, 1\]"):
        tabulate.tabulate([whole, search(tmp_path, 1, POINTS[:-1])], "val_top1")
    with pytest.raises(ValueError, match="no 'val_loss'.*must be one of val_top1, params"):
        tabulate.tabulate([whole], "val_loss")
