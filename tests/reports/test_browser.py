"""Pages in a real browser: they open quietly, load nothing, suit everybody, do what their controls say."""

import csv
import dataclasses
import io
import itertools
import json
import os
import shutil
import subprocess
import threading
import time
from pathlib import Path

import pytest

from scaling.reports.build import PAGE, build, read_study
from scaling.reports.serve import LOOPBACK, page_server
from scaling.reports.study import Study
from search.reports import build as search_reports
from search.runs.workdir import PAGE as SEARCH_PAGE

MODULES = os.environ.get(
    "BROWSER_MODULES", ""
)  # a folder with playwright-core and axe-core; .ci/run makes it
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
REPOSITORY = Path(__file__).resolve().parents[2]

pytestmark = [
    pytest.mark.nightly,
    pytest.mark.skipif(
        not MODULES,
        reason="BROWSER_MODULES does not name a folder with playwright-core and axe-core (CONTRIBUTING.md, Tests)",
    ),
]


def seen(page: Path, *scenarios: str) -> dict[str, dict]:
    """What a browser saw of a page on disk in each scenario: never a request."""
    found = visited(page.resolve().as_uri(), *scenarios)
    for name, told in found.items():
        assert (name, told["requests"]) == (name, [])
    return found


def visited(address: str, *scenarios: str) -> dict[str, dict]:
    """What a browser saw at an address in each scenario: never an error."""
    assert CHROMIUM, "there is no Chromium: apt-get install chromium"
    command = [
        "node", Path(__file__).with_name("browser.mjs"), ",".join(scenarios), address, CHROMIUM,
    ]  # fmt: skip
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)
    for name, told in found.items():
        assert (name, told["problems"]) == (name, [])
    return found


@pytest.fixture(scope="module")
def study(kept_workdir):
    return read_study([kept_workdir])


@pytest.fixture(scope="module")
def used(study, tmp_path_factory):
    """What was seen of the study's page in use."""
    page = page_of(study, tmp_path_factory.mktemp("used"))
    return seen(page, "filter", "sort", "select", "csv")


def page_of(study: Study, out: Path, title: str = "the study") -> Path:
    return build(study, out, title)[PAGE]


def many(study: Study, count: int) -> Study:
    """So many runs: those of a study again and again, each with a seed and an id of its own."""
    rows = [
        dataclasses.replace(
            row, id=f"{row.id}{i}", seed=i, spec=dataclasses.replace(row.spec, seed=i), recorded=None
        )
        for i in range(-(-count // len(study.rows)))
        for row in study.rows
    ]
    return dataclasses.replace(study, rows=tuple(rows[:count]), directories={})


def failed(study: Study) -> Study:
    rows = [
        dataclasses.replace(row, status="failed", message="first\nlast words", metrics={})
        for row in study.rows
    ]
    return dataclasses.replace(study, rows=tuple(rows))


def opened(page: Path) -> dict:
    """The page as it opens, with nothing beyond the right edge of a wide or a narrow window."""
    found = seen(page, "open")["open"]
    assert found["right_420"] <= 420 and found["right_1200"] <= 1200
    return found


def audited(page: Path) -> dict:
    """The page as it opens, in which axe finds nothing serious."""
    assert seen(page, "audit")["audit"]["serious"] == []
    return opened(page)


def test_a_small_study_is_quiet_accessible_and_light(study, tmp_path):
    page = page_of(dataclasses.replace(study, rows=study.rows[:4]), tmp_path, "four runs")
    assert audited(page)["title"].startswith("four runs · 4 runs of ")
    assert page.stat().st_size < 1_500_000


def test_five_hundred_runs_build_and_open_in_time(study, tmp_path):
    started = time.perf_counter()
    page = page_of(many(study, 500), tmp_path)
    assert time.perf_counter() - started < 60
    found = opened(page)
    assert (
        "500 of 500 shown" in found["text"] and found["opened"] < 20_000
    )  # ms; both bounds for busy machines


def test_a_study_that_failed_says_why(study, tmp_path):
    found = audited(page_of(failed(study), tmp_path))
    assert "No run has a score" in found["text"] and "16 failed last words" in found["text"]


def test_a_search_is_quiet_and_accessible(tmp_path):
    cells = REPOSITORY / "experiments" / "results" / "search" / "cells"
    made = search_reports.build([cells / "random", cells / "lstm_ppo"], tmp_path, "cells")
    assert audited(made[SEARCH_PAGE])["title"].startswith("cells · ")
    assert not {"Infinity", "NaN"} & set(seen(made[SEARCH_PAGE], "sortSearch")["sortSearch"]["up"])


def test_filters_take_keys_and_words_and_stand_in_the_address(used):
    found = used["filter"]
    assert found["all"] == 16 and found["failed"] == 1
    few = found["filtered"]
    assert few["count"] == 2 and set(few["phis"]) == {"-1"} and len(few["points"]) == 2
    assert found["said"] == "2 of 16 shown"
    assert found["words"] == ["φ=−2"] * 2 and found["again"] == [2, "φ=−2 resnet"]


def test_headings_sort_by_keyboard_numbers_as_numbers_and_what_is_missing_last(used):
    found = used["sort"]
    sizes = [f"φ={phi}" for phi in ("−2", "−1", "0", "1") for _ in range(4)]
    assert found["up"] == ["ascending", sizes] and found["down"] == ["descending", sizes[::-1]]
    for which, backwards in (("scores_up", False), ("scores_down", True)):
        *scores, last = found[which]
        assert last == "–" and scores == sorted(scores, key=float, reverse=backwards)


def test_selected_runs_are_compared_and_what_is_hidden_leaves_the_plot(used):
    found = used["select"]
    chosen = set(found["chosen"])
    assert len(found["before"]) == 15 and sorted(found["after"]) == sorted(found["before"])
    assert "model.phi" in found["compared"] and "Run" not in found["compared"]
    assert set(found["curves"]) == chosen
    assert set(found["only"]) == chosen and set(found["again"]) == chosen
    assert "test top-1" in found["hovered"] and found["clicked"] == 1
    assert found["picture"].endswith(".png")


def test_scales_front_groups_and_theme(tmp_path):
    study = read_study([REPOSITORY / "experiments" / "results" / "table7"])
    found = seen(page_of(study, tmp_path), "draw")["draw"]
    assert (found["log"], found["linear"]) == ("log", "linear")
    assert found["front"] == sorted(found["front"]) and len(found["front"]) > 1
    assert found["groups"] == ["0", "1.7", "1.78", "1.9"]
    assert found["without"] == [15, 9] and found["parallel"] == found["without"][1]
    light, dark, plot = found["theme"]
    assert light != dark == plot


def test_a_served_page_shows_new_runs_once_as_the_reader_has_set_it(study, tmp_path):
    """The rows change between the page and its first question; then they stay."""
    pages = {
        "some": page_of(dataclasses.replace(study, rows=study.rows[:6]), tmp_path / "some").read_text(),
        "all": page_of(study, tmp_path / "all").read_text(),
    }
    stamps = itertools.chain(["some"], itertools.repeat("all"))
    made: list[str] = []

    def make() -> str:
        made.append(["some", "all"][len(made)])
        return pages[made[-1]]

    with page_server(make, lambda: next(stamps), 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        home = f"http://{LOOPBACK}:{server.server_port}/"
        found = visited(home, "refresh")["refresh"]
        server.shutdown()
    (few, *settings), (most, *kept) = found["before"], found["after"]
    assert few.endswith("of 6 shown") and most.endswith("of 16 shown")
    assert kept == settings == ["seed=0", "#filter=seed%3D0&theme=dark"] and found["focused"] == "filter"
    assert found["later"] == found["after"] and made == ["some", "all"]
    assert {home, f"{home}stamp"} <= set(found["requests"]) <= {home, f"{home}stamp", f"{home}favicon.ico"}


def test_csv_holds_the_runs_that_are_shown(used):
    found = used["csv"]
    lines = list(csv.DictReader(io.StringIO(found["csv"])))
    assert found["name"] == "the_study.csv" and [line["Run"] for line in lines] == found["runs"]
    assert {line["Seed"] for line in lines} == {"1"} and "model.phi" in lines[0]
