"""Rows fall into series by what sets curves apart and into groups by all but their seed."""

import dataclasses

import numpy as np
import pytest

from scaling.laws.power import NoLaw
from scaling.reports.build import read_study
from scaling.reports.curve import drawn, fit_law, group, law_points, least_error, score_of, swept, validation
from scaling.reports.curve import scored as in_words
from scaling.reports.labels import size_label
from scaling.reports.study import Study
from scaling.reports.table import to_markdown
from scaling.runs.rows import Row
from scaling.runs.spec import ModelSpec, RunSpec
from scaling.sweeps.run import lost_row


@pytest.fixture
def study(workdir):
    return read_study([workdir])


@pytest.fixture
def rows(study):
    return study.rows


def scored(**metrics):
    return dataclasses.replace(lost_row(RunSpec(), "ok", "", 1.0), macs=1, metrics=metrics)


def changed(row, seed=None, **sections):
    """The row as that of a run with other settings, {section: {key: value}}."""
    made = {name: dataclasses.replace(getattr(row.spec, name), **values) for name, values in sections.items()}
    seed = row.seed if seed is None else seed
    return dataclasses.replace(row, seed=seed, spec=dataclasses.replace(row.spec, seed=seed, **made))


def older(row, section, *keys):
    """The row as a version wrote it that did not know these keys of a section."""
    plain = row.to_dict()
    kept = {key: value for key, value in plain["spec"][section].items() if key not in keys}
    return Row.from_dict({**plain, "spec": {**plain["spec"], section: kept}})


def names(rows, axis="macs"):
    return list(Study(tuple(rows)).along(axis))


def test_series_split_the_rows_by_family(study):
    assert list(study.series) == ["cifar_resnet", "efficientnet"]
    split = [row.id for found in study.series.values() for row in found.rows]
    assert sorted(split) == sorted(row.id for row in study.rows)


def test_lengths_of_training_are_curves_of_their_own_but_along_examples(rows):
    longer = [changed(row, train={"duration": "9 epochs"}) for row in rows]
    lengths = {f"{name} · {text}" for name in names(rows) for text in ("9 epochs", "10 epochs")}
    assert set(names([*rows, *longer])) == lengths
    assert names([*rows, *longer], "examples") == names(rows)


def test_recipes_of_one_network_are_curves_of_their_own_and_named(rows):
    moved = [changed(row, augment={"crop": "pad", "pad": 2}) for row in rows]
    told = {f"{name} · crop=none · pad=4" for name in names(rows)}
    told |= {f"{name} · crop=pad · pad=2" for name in names(rows)}
    assert set(names([*rows, *moved])) == told


def test_a_setting_that_goes_with_the_size_or_changes_no_result_is_not_told(rows):
    by_size = [changed(row, optimizer={"lr": 2.0**row.spec.model.phi}) for row in rows]
    assert names(by_size) == names(rows)
    workers = [changed(row, seed=7, data={"workers": 3}) for row in rows]
    assert names([*rows, *workers]) == names(rows)


def test_labels_name_what_differs(rows):
    other = [dataclasses.replace(rows[0], dataset="digits"), *rows]
    assert {name.split(" · ")[-1] for name in names(other)} == {"cifar10", "digits"}
    wide = RunSpec(model=ModelSpec(rule="axes", width=2.0))
    deep = RunSpec(model=ModelSpec(rule="axes", depth=2.0, width=2.0))
    axes = [lost_row(spec, "ok", "", 1.0) for spec in (RunSpec(), wide, deep)]
    assert {name.split(" · ")[-1] for name in names(axes)} == {"compound", "width", "depth+width"}
    assert [size_label(row) for row in axes] == ["φ=0", "w=2", "d=2 w=2"]


def test_heads_of_one_network_are_curves_of_their_own(rows):
    headed = [changed(row, model={"head": "unet"}) for row in rows]
    assert set(names([*rows, *headed])) == {
        f"{name}{head}" for name in names(rows) for head in ("", " · unet")
    }


def test_a_curve_is_named_by_its_rule_and_a_size_as_published():
    specs = [ModelSpec(rule="dwr", phi=1.0), ModelSpec(), ModelSpec(rule="efficientnet", size="b3")]
    made = [lost_row(RunSpec(model=model), "ok", "", 1.0) for model in specs]
    assert {name.split(" · ")[-1] for name in names(made)} == {"dwr", "compound", "efficientnet"}
    assert [size_label(row) for row in made] == ["φ=1", "φ=0", "b3"]


def test_rows_from_before_a_field_join_those_after_it(rows):
    row = next(r for r in rows if r.seed == 0)
    before = dataclasses.replace(older(row, "model", "size", "exponent"), seed=7)
    assert len(group([row, before])) == 1
    assert len(group([row, changed(row, model={"exponent": 0.5})])) == 2


def test_groups_hold_the_seeds_of_one_network_by_size(study):
    groups = study.series["efficientnet"].groups
    assert [sorted(r.seed for r in g.rows) for g in groups] == [[0, 1]] * 4
    assert [g.first.phi for g in groups if g.first.macs] == sorted(
        g.first.phi for g in groups if g.first.macs
    )
    full = next(g for g in groups if len(g.scores) == 2)
    assert full.deviation == pytest.approx(np.std(full.scores, ddof=1))
    assert full.mean(score_of) == pytest.approx(np.mean(full.scores))


def test_groups_of_one_size_are_one_size_to_a_law_however_many_seeds_they_have():
    row = dataclasses.replace(scored(test_top1=0.5), examples_seen=60_000)
    runs = [changed(row, seed=seed) for seed in range(3)] + [changed(row, seed=9, optimizer={"lr": 0.5})]
    x, error, _ = law_points(group(runs), "examples")
    assert set(x) == {60_000} and len(x) == len(error) == 4
    assert isinstance(fit_law(group(runs), "examples"), NoLaw)


def test_how_a_run_was_executed_does_not_part_a_group(rows):
    row = next(r for r in rows if r.seed == 0)
    assert len(group([row, changed(row, seed=7, train={"engine": "jit"})])) == 1
    assert len(group([row, changed(row, train={"batch": 999})])) == 2


@pytest.mark.parametrize(("raw", "averaged", "chosen"), [(0.9, 0.8, 0.7), (0.8, 0.9, 0.6), (0.9, None, 0.7)])
def test_validation_chooses_between_raw_and_averaged_and_test_does_not(raw, averaged, chosen):
    test_averaged = None if averaged is None else 0.6
    row = scored(val_top1=raw, val_top1_ema=averaged, test_top1=0.7, test_top1_ema=test_averaged)
    assert score_of(row) == chosen
    assert validation(row) == max(raw, averaged or 0)


def test_runs_without_a_result_are_not_drawn(rows):
    assert {r.status for r in rows} == {"ok", "failed"}
    assert {r.status for r in drawn(rows)} == {"ok"}


@pytest.mark.parametrize("axis", ["macs", "step_ms", "train_flops"])
def test_the_law_of_a_series_is_found_along_every_axis(study, axis):
    law = fit_law(study.series["cifar_resnet"].points, axis, resamples=20)
    assert law.sizes == 4 and law.points == 8
    low, high = law.intervals["b"]
    assert low <= 0.5 <= high
    assert study.laws(axis).keys() == study.series.keys() and study.laws(axis) is study.laws(axis)


def test_a_field_that_came_later_has_its_default_in_an_older_row(rows):
    key = "progressive_drop_rate"
    before = older(rows[0], "train", key)
    shared, varied = swept([before, rows[0]])
    assert varied == [] and shared[f"train.{key}"] == []
    assert swept([before, changed(rows[0], train={key: (0.1,)})])[1] == [f"train.{key}"]


def test_what_is_swept_and_what_is_shared(rows):
    shared, varied = swept(rows)
    assert set(varied) == {"seed", "model.name", "model.phi"}
    assert shared["data.name"] == "cifar10" and not set(shared) & set(varied)


def test_a_metric_with_a_unit_is_a_fraction_for_laws_and_itself_in_words_and_tables():
    """20 dB are an RMSE of a tenth of the range."""
    row = lost_row(RunSpec(task="denoising"), "ok", "", 1.0)
    row = dataclasses.replace(row, macs=1, params=1, metrics={"val_psnr": 40.0, "test_psnr": 20.0})
    assert score_of(row) == pytest.approx(0.9) and validation(row) == pytest.approx(0.99)
    assert in_words(row) == "test 20.00 dB PSNR (raw weights)"
    assert "90.00 (20.00 dB PSNR)" in to_markdown(Study([row]), "noise")


def test_few_test_pictures_hide_no_error_that_is_not_of_whole_examples(rows):
    """Five pictures have a PSNR to many digits; of five classified ones the least error is a tenth."""
    few = [dataclasses.replace(row, examples={**row.examples, "test": 5}) for row in rows]
    assert least_error(few) == 0.1 and least_error([]) < 1e-3
    task = lambda row: dataclasses.replace(row.spec, task="super_resolution")
    restored = [dataclasses.replace(row, spec=task(row)) for row in few]
    assert least_error(restored) < 1e-3
