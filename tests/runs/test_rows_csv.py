"""rows.csv holds every row as it is, whatever version wrote it, and says which line holds none."""

import csv
import dataclasses
import io

import pytest

from scaling.runs.rows import Row
from scaling.runs.rows_csv import LACKING, TITLES, from_csv, read_csv, to_csv
from scaling.runs.spec import ModelSpec, RunSpec
from scaling.sweeps.run import lost_row

ROW = dataclasses.replace(
    lost_row(RunSpec(model=ModelSpec(strides=(1, 2))), "failed", 'a "quoted"\nmessage, φ', 1.5),
    message="-",
    git_revision="1",
    device_kind="null",
)
OTHER = dataclasses.replace(ROW, versions={"jax": "0.10.2"}, message="", examples={"x": 1})


def older(row: Row) -> Row:
    """The row as a version wrote it that did not know a model's `size`."""
    plain = row.to_dict()
    model = {key: value for key, value in plain["spec"]["model"].items() if key != "size"}
    return Row.from_dict({**plain, "spec": {**plain["spec"], "model": model}})


def test_rows_and_their_text_round_trip():
    rows = [ROW, OTHER, older(OTHER)]
    text = to_csv(rows)
    assert from_csv(text) == (rows, []) and to_csv(from_csv(text)[0]) == text


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_a_text_of_several_lines_round_trips_through_a_file(tmp_path, end):
    row = dataclasses.replace(OTHER, message=f"{end}10%{end}100%{end}")
    (tmp_path / "rows.csv").write_text(to_csv([row, OTHER]))
    assert read_csv(tmp_path / "rows.csv") == ([row, OTHER], [])


def test_what_a_row_lacks_is_marked_and_not_filled_in():
    new, old = csv.DictReader(io.StringIO(to_csv([ROW, older(ROW)])))
    assert (new["spec.model.size"], old["spec.model.size"]) == ('""', LACKING)


def test_columns_keep_their_titles():
    titles = to_csv([ROW]).partition("\n")[0].split(",")
    assert {"depth", "width", "spec.model.depth"} <= set(titles) and not set(TITLES) & set(titles)


def test_a_line_that_is_no_row_is_named_and_the_rest_is_read(tmp_path):
    lines = to_csv([OTHER, OTHER, OTHER]).splitlines()
    lines[2] = lines[2].replace("failed", "fine")
    (tmp_path / "rows.csv").write_text("\n".join(lines))
    rows, (problem,) = read_csv(tmp_path / "rows.csv")
    assert rows == [OTHER, OTHER]
    assert problem.startswith(f"line 3 of {tmp_path / 'rows.csv'}") and "'fine'" in problem


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", None], ids=["binary", "absent"])
def test_a_file_that_cannot_be_read_is_one_problem(tmp_path, content):
    if content is not None:
        (tmp_path / "rows.csv").write_bytes(content)
    rows, (problem,) = read_csv(tmp_path / "rows.csv")
    assert not rows and str(tmp_path / "rows.csv") in problem
