"""A model card says what the row says, in a head that YAML's own parser reads."""

import dataclasses

import pytest

from scaling.reports.build import read_study
from scaling.reports.card import to_card

yaml = pytest.importorskip("yaml")  # comes with tensorflow_datasets' dependencies


@pytest.fixture
def rows(workdir):
    return read_study([workdir]).rows


def test_the_head_holds_the_rows_score(rows):
    row = next(r for r in rows if r.status == "ok")
    named = dataclasses.replace(row, dataset='pets: "mine"\n---')
    _, head, body = to_card(named).split("---\n", 2)
    found = yaml.safe_load(head)
    assert found["datasets"] == [named.dataset] and found["pipeline_tag"] == "image-classification"
    (result,) = found["model-index"][0]["results"]
    assert result["metrics"][0]["value"] == pytest.approx(100 * row.metrics["test_top1"], abs=0.006)
    assert row.id in body and f"{100 * row.metrics['test_top1']:.2f} %" in body


def test_a_metric_with_a_unit_is_told_in_it(rows):
    """As console, table and page tell it."""
    row = next(r for r in rows if r.status == "ok")
    spec = dataclasses.replace(row.spec, task="denoising")
    card = to_card(dataclasses.replace(row, spec=spec, metrics={"test_psnr": 28.574, "val_psnr": 28.1}))
    assert "value: 28.57}" in card and "Test 28.57 dB PSNR" in card


def test_a_run_without_a_result_has_no_card(rows):
    with pytest.raises(ValueError, match="no test score"):
        to_card(next(r for r in rows if r.status == "failed"))
