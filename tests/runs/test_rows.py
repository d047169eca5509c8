"""A row is whole or not there; a damaged one is reported and the rest is read."""

import dataclasses
import json
import os
import random
import stat
import typing

import pytest

from scaling.border.files import write_atomically
from scaling.runs.recorded import SECTIONS
from scaling.runs.rows import Row, read_row, write_row
from scaling.runs.rows_csv import from_csv, to_csv
from scaling.runs.spec import DataSpec, ModelSpec, RunSpec

ROW = Row(
    id="abc",
    status="ok",
    spec=RunSpec(model=ModelSpec(phi=1.0, strides=(1, 2))),
    arch_name="tiny",
    family="tests",
    depth_factor=1.2,
    width_factor=1.1,
    resolution=8,
    phi=None,
    params=10,
    batch_stats=4,
    macs=100,
    activations=20,
    seed=0,
    metrics={"test_top1": 0.1 + 0.2},
    examples={"train": 5},
)


def test_round_trip(tmp_path):
    write_row(tmp_path / "row.json", ROW)
    assert read_row(tmp_path / "row.json") == ROW
    assert Row.from_dict(ROW.to_dict()) == ROW
    written = json.loads((tmp_path / "row.json").read_text())
    assert written.pop("checksum") and written == ROW.to_dict()


def test_names_of_classes_are_in_a_row_that_has_them_and_in_no_other(tmp_path):
    named = dataclasses.replace(ROW, classes=("a, b", "ö"))
    write_row(tmp_path / "row.json", named)
    assert read_row(tmp_path / "row.json") == named
    assert from_csv(to_csv([named, ROW]))[0] == [named, ROW]
    assert "classes" not in ROW.to_dict() and "classes" not in to_csv([ROW])
    with pytest.raises(ValueError, match=r"row\.classes"):
        Row.from_dict({**named.to_dict(), "classes": "a"})


def test_a_row_that_was_changed_is_never_believed(tmp_path):
    rng, path = random.Random(0), tmp_path / "row.json"
    write_row(path, ROW)
    whole = path.read_bytes()
    for _ in range(300):
        data, at = bytearray(whole), rng.randrange(len(whole))
        data[at] ^= 1 << rng.randrange(8)
        path.write_bytes(data)
        try:
            assert read_row(path) == ROW
        except ValueError as error:
            assert str(path) in str(error)


@pytest.mark.parametrize(
    "changes, told",
    [
        ({"params": "many"}, r"row\.params='many' must be int"),
        ({"metrics": {"test_top1": 1.5}}, r"row\.test_top1=1\.5 must be in \[0, 1\]"),
        ({"seconds": float("nan")}, r"row\.seconds=nan must be finite"),
        ({"examples": {"train": "x"}}, r"row\.examples\.train='x' must be int"),
        ({"spec": []}, "must hold the sections of a config"),
    ],
)
def test_what_makes_no_row_says_which_field(changes, told):
    with pytest.raises(ValueError, match=told):
        Row.from_dict({**ROW.to_dict(), **changes})


OLD = {
    **{key: value for key, value in ROW.to_dict().items() if key not in ("depth_factor", "width_factor")},
    "depth": 1.2,
    "width": 1.1,
    "spec": {"seed": 3, "model": {"name": "resnet50", "phi": 1.0}, "data": {"source": "npz", "dir": None}},
}


def test_a_row_of_an_older_version_has_defaults_its_own_id_and_is_written_as_it_was():
    row = Row.from_dict(OLD)
    assert (row.depth_factor, row.width_factor, row.id) == (1.2, 1.1, "abc")
    assert row.spec == RunSpec(
        seed=3, model=ModelSpec(name="resnet50", phi=1.0), data=DataSpec(source="npz", dir="")
    )
    assert row.to_dict()["spec"] == OLD["spec"]
    other = dataclasses.replace(row, spec=RunSpec(seed=4))
    assert other.to_dict()["spec"] == RunSpec(seed=4).to_dict()  # not what it was read from


def test_a_row_is_read_where_the_files_that_it_names_are_gone():
    named = {"name": "gone/net.py:network@0123456789ab", "init": "gone/weights.safetensors"}
    data = {"source": "folder", "dir": "/gone"}
    row = Row.from_dict({**OLD, "spec": {"model": named, "data": data}})
    assert (row.spec.model.name, row.spec.model.init, row.spec.data.dir) == (*named.values(), "/gone")


def test_sections_of_one_text_are_read_once():
    one, other = (Row.from_dict({**OLD, "spec": {**OLD["spec"], "seed": seed}}) for seed in (1, 2))
    assert one.spec.model is other.spec.model and one.spec != other.spec


def test_an_empty_value_can_mean_nothing_but_the_default():
    for section in SECTIONS:
        default = getattr(RunSpec(), section)
        hints = typing.get_type_hints(type(default))
        for name, value in vars(default).items():
            assert value is None or type(None) not in typing.get_args(hints[name]), (section, name)


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ({"model": {"speed": 1}}, r"unknown key config\.model\.speed"),
        ({"model": {"speed": None}}, r"unknown key config\.model\.speed"),
        ({"models": {}}, r"unknown key config\.models.*'model'"),
        ({"model": {"phi": "1"}}, r"config\.model\.phi='1' must be float"),
        ({"seed": "0"}, r"config\.seed='0' must be int"),
        ({"model": 3}, r"config\.model=3 must be a section"),
        ([1], r"spec=\[1\] must hold the sections"),
    ],
)
def test_a_spec_that_makes_none_is_a_damaged_row(tmp_path, spec, problem):
    (tmp_path / "row.json").write_text(json.dumps({**OLD, "spec": spec}))
    with pytest.raises(ValueError, match=problem) as caught:
        read_row(tmp_path / "row.json")
    assert str(tmp_path / "row.json") in str(caught.value)


def test_a_row_ends_in_a_known_status():
    with pytest.raises(ValueError, match="row abc: status='fine' must be one of .*'ok'"):
        Row.from_dict(ROW.to_dict() | {"status": "fine"})


def test_a_field_of_another_version_is_named():
    with pytest.raises(ValueError, match=r"unknown fields \['speed'\]"):
        Row.from_dict(ROW.to_dict() | {"speed": 1})


@pytest.mark.parametrize(
    "content",
    [b'{"id": "abc", ', b"[1]", b'{"id": "abc", "status": "ok"}', b"\xff\xfe\x00"],
    ids=["cut", "list", "lacking", "binary"],
)
def test_a_damaged_row_is_an_error_that_names_the_file(tmp_path, content):
    path = tmp_path / "row.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="is not a readable row") as caught:
        read_row(path)
    assert str(path) in str(caught.value)


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


def test_metrics_that_were_fields_are_read_by_name():
    loose = {**ROW.to_dict(), "val_top1": 0.5, "val_top1_ema": None}
    assert Row.from_dict(loose).metrics == {"val_top1": 0.5, "val_top1_ema": None, **ROW.metrics}
