"""A row is whole or not there; a damaged one is reported and the rest is read."""

import json
import os
import stat

import pytest

from scaling.border.files import write_atomically
from scaling.runs.rows import Row, read_row, read_rows, write_row

ROW = Row(
    id="abc",
    status="ok",
    spec={"seed": 0, "model": {"phi": 1.0, "strides": [1, 2]}},
    arch_name="tiny",
    family="tests",
    depth=1.2,
    width=1.1,
    resolution=8,
    phi=None,
    params=10,
    batch_stats=4,
    macs=100,
    activations=20,
    seed=0,
    test_top1=0.1 + 0.2,
    examples={"train": 5},
)


def test_round_trip(tmp_path):
    write_row(tmp_path / "row.json", ROW)
    assert read_row(tmp_path / "row.json") == ROW
    assert Row.from_dict(ROW.to_dict()) == ROW


def test_a_row_ends_in_a_known_status():
    with pytest.raises(ValueError, match="row abc: status='fine' must be one of .*'ok'"):
        Row.from_dict(ROW.to_dict() | {"status": "fine"})


def test_a_field_of_another_version_is_named():
    with pytest.raises(ValueError, match=r"unknown fields \['speed'\]"):
        Row.from_dict(ROW.to_dict() | {"speed": 1})


def test_bad_rows_are_reported_and_the_rest_is_read(tmp_path):
    paths = [
        tmp_path / f"{name}.json" for name in ("good", "cut", "list", "lacking", "binary", "absent", "fine")
    ]
    for path in (paths[0], paths[-1]):
        write_row(path, ROW)
    paths[1].write_text(paths[0].read_text()[:50])
    paths[2].write_text("[1]")
    paths[3].write_text(json.dumps({"id": "abc", "status": "ok"}))
    paths[4].write_bytes(b"\xff\xfe\x00")
    rows, problems = read_rows(paths)
    assert rows == [ROW, ROW]
    assert len(problems) == 5
    assert all(str(path) in problem for path, problem in zip(paths[1:-1], problems))


def test_writing_replaces_the_whole_file_and_leaves_nothing_else(tmp_path):
    path = tmp_path / "new" / "row.json"
    write_atomically(path, "a long first text")
    write_atomically(path, "second")
    assert path.read_text() == "second" and os.listdir(path.parent) == ["row.json"]


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "row.json"
    write_atomically(path, "old")

    def full_disk(*_):
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="no space left"):
        write_atomically(path, "new")
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["row.json"]


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_rows_are_readable_by_whom_the_umask_lets(tmp_path, mask):
    before = os.umask(mask)
    try:
        write_atomically(tmp_path / "row.json", "{}")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "row.json").stat().st_mode) == 0o666 & ~mask
