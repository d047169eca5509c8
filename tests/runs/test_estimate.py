"""Estimates: kept in a run's directory, read into its row, and believed only where they are whole."""

import dataclasses

import pytest

from scaling.runs.estimate import Estimate, estimated, keep
from scaling.runs.rows import Row
from scaling.runs.rows_csv import from_csv, to_csv
from scaling.runs.spec import RunSpec
from scaling.runs.workdir import ESTIMATE
from scaling.sweeps.run import lost_row


def test_what_was_kept_makes_fields_of_a_row_and_rows_without_stay_as_they_were(tmp_path):
    keep(Estimate(12.5, 10**9), tmp_path / "run")
    bare = lost_row(RunSpec(), "ok", "", 1.0)
    told = dataclasses.replace(bare, **estimated(tmp_path / "run"))
    assert (told.estimated_seconds, told.estimated_memory) == (12.5, 10**9)
    assert Row.from_dict(told.to_dict()) == told and from_csv(to_csv([told, bare]))[0] == [told, bare]
    assert not [name for name in bare.to_dict() if name.startswith("estimated")]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"seconds": "soon", "memory": 1}', '{"seconds": 1.0}'])
def test_a_damaged_estimate_is_none(tmp_path, text):
    assert estimated(tmp_path) == {}
    (tmp_path / ESTIMATE).write_text(text)
    assert estimated(tmp_path) == {}
