"""The page's table has every run and every key that differs; a study that failed says why."""

import dataclasses

import pytest

from scaling import zoo
from scaling.reports import page, run_table
from scaling.reports.build import read_study
from scaling.reports.study import Study
from scaling.reports.units import MISSING


@pytest.fixture(scope="module")
def study(kept_workdir):
    return read_study([kept_workdir])


def changed(row, **sections):
    """The row with {section: {key: value}} changed in its spec."""
    parts = {
        name: dataclasses.replace(getattr(row.spec, name), **values) for name, values in sections.items()
    }
    return dataclasses.replace(row, spec=dataclasses.replace(row.spec, **parts), recorded=None)


def columns(study) -> dict[str, dict[str, object]]:
    """By head the cell of every run."""
    table = run_table.run_table(study)
    heads = [name for name, _ in table.heads]
    return {head: {line[0].text: line[i] for line in table.lines} for i, head in enumerate(heads)}


def test_each_key_that_differs_has_a_column_of_the_runs_values(study):
    rates = (0.1, 0.01, 1e-5)
    rows = [changed(row, optimizer={"lr": rates[i % 3]}) for i, row in enumerate(study.rows)]
    found = columns(Study(tuple(rows)))
    assert list(found)[-3:] == ["model.name", "model.phi", "optimizer.lr"] and "Seed" in found
    for row in rows:
        assert found["optimizer.lr"][row.id].value == row.spec.optimizer.lr
        assert found["model.phi"][row.id].value == row.spec.model.phi
        assert found["model.name"][row.id].text == row.spec.model.name


def test_a_value_that_is_not_there_is_missing_and_a_network_is_called_by_its_name(study):
    with_, without = study.rows[:2]
    rows = (changed(with_, model={"arch": zoo.get("lenet5"), "drop_rate": 0.0}), without)
    found = columns(Study(rows))
    assert found["model.arch"][with_.id].text == zoo.get("lenet5").name
    assert not [head for head in found if head.startswith("model.arch.")]
    for head in ("model.arch", "model.drop_rate"):
        assert (found[head][without.id].text, found[head][without.id].value) == (MISSING, None)
    assert found["model.drop_rate"][with_.id].value == 0.0


def test_runs_of_several_tasks_have_it_as_a_column(study):
    other = dataclasses.replace(
        study.rows[1], spec=dataclasses.replace(study.rows[1].spec, task="segmentation"), recorded=None
    )
    found = columns(Study((study.rows[0], other)))
    assert {cell.text for cell in found["task"].values()} == {"classification", "segmentation"}


def test_numbers_stand_right_and_words_left(study):
    sides = dict(run_table.run_table(study).heads)
    assert sides["model.phi"] == sides["Params"] == "number" and sides["model.name"] == sides["Run"] == "text"


def test_a_failed_study_names_the_commonest_reason_first(study):
    messages = ["Traceback\n  File\nValueError: no data\n\n"] * 3 + ["killed"]
    rows = [
        dataclasses.replace(row, status="failed", message=text) for row, text in zip(study.rows, messages)
    ]
    text = page.to_html(Study(tuple(rows)), [], "x")
    first, second = text.index("ValueError: no data</code>"), text.index("killed</code>")
    assert first < second and "No run has a score" in text
    assert "No run has a score" not in page.to_html(study, [], "x")


def test_the_browser_names_the_study(study):
    text = page.to_html(study, [], "wide & deep")
    assert "<title>wide &amp; deep · 16 runs of cifar_resnet, efficientnet on cifar10</title>" in text
