"""The disk is the only truth: what a scan says follows from the files alone."""

import dataclasses
import json

import pytest

from scaling.runs import store
from scaling.runs.rows import write_row
from scaling.runs.spec import RunSpec
from scaling.runs.workdir import CONFIG, LOG, ROW, check_owner, finished_row, row_of
from scaling.sweeps.run import lost_row


def made_row(seed, status="ok"):
    return lost_row(RunSpec(seed=seed), status, "", 1.0)


def test_runs_are_finished_unfinished_or_bad(tmp_path):
    good, failed, bad = made_row(0), made_row(1, "failed"), made_row(2)
    write_row(tmp_path / good.id / ROW, good)
    write_row(tmp_path / failed.id / ROW, failed)
    write_row(tmp_path / bad.id / ROW, bad)
    (tmp_path / bad.id / ROW).write_text('{"id": "cut off')
    (tmp_path / "started").mkdir()
    (tmp_path / "started" / CONFIG).write_text("{}")
    (tmp_path / "tensorboard").mkdir()
    found = store.scan(tmp_path)
    assert found.rows == {good.id: good, failed.id: failed}
    assert found.unfinished == ("started",)
    assert list(found.bad) == [bad.id] and str(tmp_path / bad.id) in found.bad[bad.id]


@pytest.mark.parametrize(
    ("status", "without_retry", "with_retry"),
    [
        ("ok", True, True),
        ("nan", True, True),
        ("failed", True, False),
        ("oom", True, False),
        ("timeout", True, False),
    ],
)
def test_only_runs_without_a_result_are_retried(tmp_path, status, without_retry, with_retry):
    row = made_row(0, status)
    write_row(tmp_path / row.id / ROW, row)
    found = store.scan(tmp_path)
    assert found.is_settled(RunSpec()) == without_retry
    assert found.is_settled(RunSpec(), retry=True) == with_retry
    assert not found.is_settled(RunSpec(seed=9))


def test_a_damaged_row_is_run_again_only_when_asked(tmp_path):
    directory = tmp_path / RunSpec().id
    directory.mkdir()
    (directory / ROW).write_text("")
    found = store.scan(tmp_path)
    assert found.is_settled(RunSpec()) and not found.is_settled(RunSpec(), retry=True)


def test_a_row_under_another_runs_name_is_bad(tmp_path):
    row = made_row(0)
    write_row(tmp_path / "copied" / ROW, row)
    found = store.scan(tmp_path)
    assert not found.rows and "copied" in found.bad


def test_a_run_directory_alone_is_a_sweep_of_one(tmp_path):
    row = made_row(0)
    write_row(tmp_path / "anywhere" / ROW, row)
    assert store.scan(tmp_path / "anywhere").rows == {row.id: row}


def test_a_missing_directory_is_empty(tmp_path):
    assert store.scan(tmp_path / "none") == store.Contents({}, (), {})


def test_rows_set_aside_are_all_kept(tmp_path):
    rows = [dataclasses.replace(made_row(0, "failed"), message=str(i)) for i in range(3)]
    for row in rows:
        write_row(tmp_path / ROW, row)
        store.set_aside(tmp_path)
    assert store.set_aside(tmp_path) is None
    kept = [store.read_row(path).message for path in sorted(tmp_path.glob("attempt-*.json"))]
    assert kept == ["0", "1", "2"] and not (tmp_path / ROW).exists()


def test_one_sweep_holds_a_directory_at_a_time(tmp_path):
    with store.lock(tmp_path), pytest.raises(ValueError, match="in use"), store.lock(tmp_path):
        pass
    with store.lock(tmp_path):
        pass


def test_the_tail_of_a_log_starts_where_the_attempt_did(tmp_path):
    log = tmp_path / LOG
    log.write_text("first attempt\n")
    start = log.stat().st_size
    with open(log, "a") as file:
        file.write("10%\r20%\rdone\n\nerror\n")
    assert store.read_tail(log, start) == "done\nerror"
    assert store.read_tail(tmp_path / "none") == ""


@pytest.fixture
def photos(tmp_path):
    """A run on a folder of photos, and the row that a version without fingerprints wrote of it."""
    (tmp_path / "photos" / "train" / "ant").mkdir(parents=True)
    spec = RunSpec.from_config({"data": {"source": "folder", "dir": str(tmp_path / "photos")}})
    older = spec.to_dict()
    del older["data"]["fingerprint"]
    return spec, lost_row(RunSpec.from_dict(older), "ok", "", 1.0)


def test_a_row_from_before_fingerprints_counts_for_the_same_directory(photos, tmp_path):
    spec, row = photos
    assert spec.data.fingerprint and row.id != spec.id
    write_row(tmp_path / "sweep" / row.id / ROW, row)
    found = store.scan(tmp_path / "sweep")
    assert row_of(found.rows, spec) == row and found.is_settled(spec)
    elsewhere = dataclasses.replace(spec, data=dataclasses.replace(spec.data, dir=str(tmp_path / "others")))
    other = dataclasses.replace(spec, seed=5)
    assert elsewhere.id == spec.id
    assert not found.is_settled(elsewhere) and not found.is_settled(other)


def test_a_row_with_another_fingerprint_does_not_count(photos, tmp_path):
    spec, _ = photos
    other = dataclasses.replace(spec, data=dataclasses.replace(spec.data, fingerprint="0" * 12))
    row = lost_row(other, "ok", "", 1.0)
    assert row_of({row.id: row}, spec) is None and row_of({row.id: row}, other) == row


def test_the_directory_of_a_run_from_before_fingerprints_stays_its_own(photos, tmp_path):
    spec, row = photos
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / CONFIG).write_text(json.dumps(row.spec.to_dict()))
    check_owner(tmp_path / "run", spec)
    assert finished_row(tmp_path / "run", spec) is None
    write_row(tmp_path / "run" / ROW, row)
    assert finished_row(tmp_path / "run", spec) == row
    elsewhere = dataclasses.replace(spec, data=dataclasses.replace(spec.data, dir="elsewhere"))
    with pytest.raises(ValueError, match=r"config\.data\.dir .*config\.data\.fingerprint"):
        check_owner(tmp_path / "run", elsewhere)
    assert finished_row(tmp_path / "run", elsewhere) is None


def test_the_owner_of_a_directory_is_read_where_its_files_are_gone(tmp_path):
    owner = RunSpec.from_dict({"model": {"name": "gone.py:net@0123456789ab", "init": "gone.safetensors"}})
    (tmp_path / CONFIG).write_text(json.dumps(owner.to_dict()))
    check_owner(tmp_path, owner)
    with pytest.raises(ValueError, match="belongs to run"):
        check_owner(tmp_path, RunSpec())
