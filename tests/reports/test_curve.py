"""Rows fall into series by what sets curves apart and into groups by all but their seed."""

import dataclasses

import numpy as np
import pytest

from scaling.border.typed import changed as override
from scaling.reports.build import read_study
from scaling.reports.curve import accuracy, drawn, fit_law, group, series, size_label, swept, validation
from scaling.runs.spec import ModelSpec, RunSpec
from scaling.sweeps.run import lost_row


@pytest.fixture
def rows(workdir):
    return read_study([workdir]).rows


def scored(**fields):
    return dataclasses.replace(lost_row(RunSpec(), "ok", "", 1.0), macs=1, **fields)


def test_series_split_the_rows_by_family(rows):
    named = series(rows)
    assert list(named) == ["cifar_resnet", "efficientnet"]
    assert sorted(r.id for found in named.values() for r in found) == sorted(r.id for r in rows)


def test_lengths_of_training_are_curves_of_their_own_but_along_examples(rows):
    longer = [
        dataclasses.replace(row, spec={**row.spec, "train": {**row.spec["train"], "duration": "9 epochs"}})
        for row in rows
    ]
    lengths = {
        f"{name} · {text}"
        for name in series(rows)
        for text in ("9 epochs", rows[0].spec["train"]["duration"])
    }
    assert set(series([*rows, *longer])) == lengths
    assert set(series([*rows, *longer], "examples")) == set(series(rows))


def test_labels_name_what_differs(rows):
    other = [dataclasses.replace(rows[0], dataset="digits"), *rows]
    assert {name.split(" · ")[-1] for name in series(other)} == {"cifar10", "digits"}
    wide = RunSpec(model=ModelSpec(rule="axes", width=2.0))
    deep = RunSpec(model=ModelSpec(rule="axes", depth=2.0, width=2.0))
    axes = [lost_row(spec, "ok", "", 1.0) for spec in (RunSpec(), wide, deep)]
    assert {name.split(" · ")[-1] for name in series(axes)} == {"compound", "width", "depth+width"}
    assert [size_label(row) for row in axes] == ["φ=0", "w=2", "d=2 w=2"]


def test_a_curve_is_named_by_its_rule_and_a_size_as_published():
    specs = [ModelSpec(rule="dwr", phi=1.0), ModelSpec(), ModelSpec(rule="efficientnet", size="b3")]
    made = [lost_row(RunSpec(model=model), "ok", "", 1.0) for model in specs]
    assert {name.split(" · ")[-1] for name in series(made)} == {"dwr", "compound", "efficientnet"}
    assert [size_label(row) for row in made] == ["φ=1", "φ=0", "b3"]


def test_rows_from_before_a_field_join_those_after_it(rows):
    row = next(r for r in rows if r.seed == 0)
    older = {
        **row.spec,
        "model": {k: v for k, v in row.spec["model"].items() if k not in ("size", "exponent")},
    }
    assert len(group([row, dataclasses.replace(row, spec=older, seed=7)])) == 1
    other = override(row.spec, {"model.exponent": 0.5})
    assert len(group([row, dataclasses.replace(row, spec=other)])) == 2


def test_groups_hold_the_seeds_of_one_network_by_size(rows):
    groups = group(series(rows)["efficientnet"])
    assert [sorted(r.seed for r in g.rows) for g in groups] == [[0, 1]] * 4
    assert [g.first.phi for g in groups if g.first.macs] == sorted(
        g.first.phi for g in groups if g.first.macs
    )
    full = next(g for g in groups if len(g.scores) == 2)
    assert full.deviation == pytest.approx(np.std(full.scores, ddof=1))
    assert full.mean(accuracy) == pytest.approx(np.mean(full.scores))


def test_how_a_run_was_executed_does_not_part_a_group(rows):
    row = next(r for r in rows if r.seed == 0)
    changed = override(row.spec, {"train.engine": "jit", "seed": 7})
    other = override(row.spec, {"train.batch": 999})
    assert len(group([row, dataclasses.replace(row, spec=changed, seed=7)])) == 1
    assert len(group([row, dataclasses.replace(row, spec=other)])) == 2


@pytest.mark.parametrize(("raw", "averaged", "chosen"), [(0.9, 0.8, 0.7), (0.8, 0.9, 0.6), (0.9, None, 0.7)])
def test_validation_chooses_between_raw_and_averaged_and_test_does_not(raw, averaged, chosen):
    test_averaged = None if averaged is None else 0.6
    row = scored(val_top1=raw, val_top1_ema=averaged, test_top1=0.7, test_top1_ema=test_averaged)
    assert accuracy(row) == chosen
    assert validation(row) == max(raw, averaged or 0)


def test_runs_without_a_result_are_not_drawn(rows):
    assert {r.status for r in rows} == {"ok", "failed"}
    assert {r.status for r in drawn(rows)} == {"ok"}


@pytest.mark.parametrize("axis", ["macs", "step_ms", "train_flops"])
def test_the_law_of_a_series_is_found_along_every_axis(rows, axis):
    law = fit_law(series(rows)["cifar_resnet"], axis, resamples=20)
    assert law.sizes == 4 and law.points == 8
    low, high = law.intervals["b"]
    assert low <= 0.5 <= high


def test_a_field_that_came_later_has_its_default_in_an_older_row(rows):
    key = "progressive_drop_rate"
    older = {**rows[0].spec, "train": {k: v for k, v in rows[0].spec["train"].items() if k != key}}
    shared, varied = swept([dataclasses.replace(rows[0], spec=older), rows[0]])
    assert varied == [] and shared[f"train.{key}"] == []
    other = {**rows[0].spec, "train": {**rows[0].spec["train"], key: [0.1]}}
    assert swept([dataclasses.replace(rows[0], spec=older), dataclasses.replace(rows[0], spec=other)])[1] == [
        f"train.{key}"
    ]


def test_what_is_swept_and_what_is_shared(rows):
    shared, varied = swept(rows)
    assert set(varied) == {"seed", "model.name", "model.phi"}
    assert shared["data.name"] == "cifar10" and not set(shared) & set(varied)
