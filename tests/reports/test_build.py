"""The artefacts hold every run, load nothing from elsewhere, and follow from the rows alone."""

import base64
import dataclasses
import json
import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from scaling.reports import learning, table
from scaling.reports.build import CSV, PAGE, PICTURE, TABLE, build, read_study
from scaling.reports.units import duration, number, percent, si
from scaling.runs.rows import write_row
from scaling.runs.rows_csv import to_csv
from scaling.runs.workdir import PICTURES, ROW


class Loads(HTMLParser):
    """Collects what a page would fetch, its script elements, and the text outside them."""

    def __init__(self, text):
        super().__init__()
        self.fetched, self.scripts, self.text, self._open = [], 0, [], None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.fetched += [
            value for name, value in attrs if name in ("src", "href", "data", "srcset", "action")
        ]
        self.scripts += tag == "script"
        self._open = tag

    def handle_data(self, data):
        if self._open not in ("script", "style"):
            self.text.append(data)


@pytest.fixture
def study(workdir):
    return read_study([workdir])


@pytest.fixture
def built(study, tmp_path):
    paths = build(study, tmp_path / "out", "A study & more")
    return {name: path.read_text() for name, path in paths.items() if name != PICTURE}


def test_every_run_is_in_every_table(study, built):
    page = Loads(built[PAGE])
    text = " ".join(page.text)
    for row in study.rows:
        assert row.id in text and row.id in built[CSV]
    assert len(study.rows) == 16
    assert "damaged" in text and "damaged" in built[TABLE]
    assert "A study & more" in text


def test_pictures_are_in_the_page_once_a_size(study, workdir, tmp_path):
    for row in study.rows:
        (workdir / row.id / PICTURES).write_bytes(row.id.encode())
    page = Loads(build(study, tmp_path / "out", "pictures")[PAGE].read_text())
    shown = [
        base64.b64decode(source.removeprefix("data:image/png;base64,")).decode() for source in page.fetched
    ]
    rows = {row.id: row for row in study.rows}
    assert len(shown) == len({row.macs for row in study.rows}) and len(set(shown)) == len(shown)
    assert sum(rows[run].seed == 0 for run in shown) >= len(shown) - 1


def test_the_page_loads_nothing_and_runs_only_its_own_scripts(built):
    page = Loads(built[PAGE])
    assert page.fetched == [] and page.scripts == 3
    assert (
        "@import" not in built[PAGE].split("<script>")[0] and "url(" not in built[PAGE].split("<script>")[0]
    )
    assert 'alert("&")' not in built[PAGE]
    assert any('alert("&")' in text for text in page.text)


def test_the_page_draws_every_finished_run_on_every_axis(study, built):
    data = json.loads(re.search(r'id="data">(.*?)</script>', built[PAGE], re.DOTALL)[1])
    points = {p["id"]: p for s in data["series"] for p in s["rows"]}
    assert set(points) == {row.id for row in study.rows if row.status == "ok"}
    for row in study.rows:
        if row.id in points:
            assert points[row.id]["x"] == {
                k: getattr(row, k) for k in ("macs", "params", "step_ms", "train_flops")
            }
            assert points[row.id]["error"] == pytest.approx(1 - row.metrics["test_top1"], abs=1e-5)
            assert row.id in points[row.id]["hover"]
    for drawn in data["series"]:
        law = drawn["laws"]["macs"]
        assert all(low <= mid <= high for low, mid, high in zip(law["low"], law["mid"], law["high"]))
    assert {c["id"] for c in data["curves"]} == {row.id for row in study.rows}
    assert data["metrics"] == ["validation top1", "train loss"]


def test_the_picture_is_a_png(study, tmp_path):
    path = build(study, tmp_path / "out", "x")[PICTURE]
    assert path.read_bytes().startswith(b"\x89PNG") and path.stat().st_size > 10_000


def test_a_report_of_a_csv_alone_has_the_same_rows(study, built, tmp_path):
    again = read_study([tmp_path / "out"])
    assert again.rows == study.rows and not again.directories
    assert build(again, tmp_path / "again", "A study & more")[CSV].read_text() == built[CSV]


def test_building_twice_gives_the_same_text(study, built, tmp_path):
    paths = build(study, tmp_path / "twice", "A study & more")
    assert {name: path.read_text() for name, path in paths.items() if name != PICTURE} == built


def test_several_directories_make_one_study(study, workdir):
    assert read_study([workdir, workdir]).rows == study.rows
    assert read_study([workdir / study.rows[0].id, workdir]).rows == study.rows


def test_only_failed_runs_still_make_a_report(workdir, tmp_path):
    study = read_study([workdir])
    failed = dataclasses.replace(study, rows=tuple(r for r in study.rows if r.status == "failed"))
    paths = build(failed, tmp_path / "failed", "x")
    assert failed.rows[0].id in paths[PAGE].read_text() and paths[PICTURE].exists()


def test_a_row_of_another_version_is_a_problem_and_the_rest_is_reported(workdir, study, built, tmp_path):
    path = workdir / study.rows[0].id / "row.json"
    row = json.loads(path.read_text())
    row["spec"]["train"]["speed"] = 11
    del row["checksum"]
    path.write_text(json.dumps(row))
    again = read_study([workdir])
    assert again.rows == study.rows[1:] and len(again.problems) == len(study.problems) + 1
    assert any("unknown key config.train.speed" in problem for problem in again.problems)
    assert "config.train.speed" in build(again, tmp_path / "again", "x")[TABLE].read_text()

    lines = built[CSV].splitlines()
    (tmp_path / "out" / CSV).write_text(
        "\n".join([lines[0].replace("spec.train.batch", "spec.train.speed"), *lines[1:]])
    )
    alone = read_study([tmp_path / "out"])
    assert not alone.rows and len(alone.problems) == len(study.rows)
    assert all("config.train.speed" in problem and CSV in problem for problem in alone.problems)


def test_nothing_to_report_is_an_error_that_names_the_place(tmp_path):
    with pytest.raises(ValueError, match="no finished run"):
        read_study([tmp_path])
    with pytest.raises(ValueError, match="is not a directory"):
        read_study([tmp_path / "none"])


def test_learning_curves_are_thinned_and_survive_a_cut_off_line(study):
    row = study.rows[0]
    lines = learning.read(study.directories[row.id] / "metrics.jsonl")
    loss = lines["train loss"]
    assert len(loss["x"]) == len(loss["y"]) <= learning.MAX_POINTS + 1
    assert (loss["x"][0], loss["x"][-1]) == (0.01, 5.0) and "train lr" not in lines
    assert learning.read(study.directories[row.id] / "none.jsonl") == {}


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("", "task", "captioning"),
        ("optimizer", "name", "lion"),
        ("train", "duration", "a while"),
        ("model", "rule", "diagonal"),
    ],
)
def test_a_row_of_a_later_version_is_a_problem_and_ends_no_report(
    study, workdir, tmp_path, section, key, value
):
    odd, *others = study.rows
    spec = dataclasses.replace(odd.spec, task=value)
    if section:
        part = dataclasses.replace(getattr(odd.spec, section), **{key: value})
        spec = dataclasses.replace(odd.spec, **{section: part})
    write_row(workdir / odd.id / ROW, dataclasses.replace(odd, spec=spec, recorded=None))
    again = read_study([workdir])
    assert again.rows == tuple(others) and len(again.problems) == len(study.problems) + 1
    assert any(odd.id in problem and repr(value) in problem for problem in again.problems)
    (tmp_path / "table").mkdir()
    rows = [
        row if row.id != odd.id else dataclasses.replace(odd, spec=spec, recorded=None) for row in study.rows
    ]
    (tmp_path / "table" / CSV).write_text(to_csv(rows))
    listed = read_study([tmp_path / "table"])
    assert [row.id for row in listed.rows] == [row.id for row in others] and len(listed.problems) == 1
    assert value in table.to_markdown(listed, "problems are listed")


def test_the_runs_drawn_show_every_size_before_a_second_seed(study):
    few = learning.choose(study, limit=8)
    assert {r.seed for r in few} == {0}
    assert {(r.family, r.phi) for r in few} == {(r.family, r.phi) for r in study.rows}
    assert len(learning.choose(study)) == len(study.rows)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0, "–"),
        (7, "7.00"),
        (999.6, "1.00 k"),
        (12345, "12.3 k"),
        (4.01e12, "4.01 T"),
        (2e19, "20.0 E"),
    ],
)
def test_si(value, text):
    assert si(value) == text


def test_percent_number_and_duration():
    assert [number(v) for v in (None, 0.12345, 7.0, 999.4, 1437.2)] == ["–", "0.123", "7", "999", "1,437"]
    assert (percent(0.98765), percent(0.5, 0.01), percent(None)) == ("98.77", "50.00 ± 1.00", "–")
    assert (duration(59.97), duration(125), duration(7260)) == ("1 min 0 s", "2 min 5 s", "2 h 1 min")


@pytest.mark.nightly
def test_reading_rows_loads_no_drawing_library(workdir):
    code = (
        "import sys, scaling.sweeps.run, scaling.laws.power; from pathlib import Path;"
        f"from scaling.reports.build import read_study; read_study([Path({str(workdir)!r})]);"
        "heavy = {'matplotlib', 'jinja2', 'scipy'} & set(sys.modules); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
