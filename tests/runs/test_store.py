"""The disk is the only truth: what a scan says follows from the files alone."""

import dataclasses

import pytest

from scaling.runs import store
from scaling.runs.rows import write_row
from scaling.runs.spec import RunSpec
from scaling.runs.workdir import CONFIG, LOG, ROW
from scaling.sweeps.run import lost_row


def row_of(seed, status="ok"):
    return lost_row(RunSpec(seed=seed), status, "", 1.0)


def test_runs_are_finished_unfinished_or_bad(tmp_path):
    good, failed, bad = row_of(0), row_of(1, "failed"), row_of(2)
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
    row = row_of(0, status)
    write_row(tmp_path / row.id / ROW, row)
    found = store.scan(tmp_path)
    assert found.is_settled(row.id) == without_retry
    assert found.is_settled(row.id, retry=True) == with_retry
    assert not found.is_settled("another")


def test_a_damaged_row_is_run_again_only_when_asked(tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / ROW).write_text("")
    found = store.scan(tmp_path)
    assert found.is_settled("x") and not found.is_settled("x", retry=True)


def test_a_row_under_another_runs_name_is_bad(tmp_path):
    row = row_of(0)
    write_row(tmp_path / "copied" / ROW, row)
    found = store.scan(tmp_path)
    assert not found.rows and "copied" in found.bad


def test_a_run_directory_alone_is_a_sweep_of_one(tmp_path):
    row = row_of(0)
    write_row(tmp_path / "anywhere" / ROW, row)
    assert store.scan(tmp_path / "anywhere").rows == {row.id: row}


def test_a_missing_directory_is_empty(tmp_path):
    assert store.scan(tmp_path / "none") == store.Contents({}, (), {})


def test_rows_set_aside_are_all_kept(tmp_path):
    rows = [dataclasses.replace(row_of(0, "failed"), message=str(i)) for i in range(3)]
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
