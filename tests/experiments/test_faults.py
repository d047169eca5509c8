"""The study of faults: what fails is counted and named by its seed, and a glance at all of it passes."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.faults import __main__ as command
from experiments.faults import damages, table
from experiments.faults.kind import Kind, NotRun, study
from experiments.faults.lab import CACHE, PROGRAMS, Lab

REPOSITORY = Path(__file__).resolve().parents[2]


def unlucky(lab, rng):
    (lab.here / "made").write_text("x")
    assert Path.cwd() == lab.here
    assert rng.random() < 0.5, "it was above a half"


def absent(lab, rng):
    raise NotRun("nothing is installed")


UNLUCKY = Kind("unlucky", "luck", unlucky, 40, 4, each=2)


def test_what_does_not_end_as_it_should_is_counted_and_named_and_comes_again_by_its_seed(tmp_path):
    lab, before = Lab(tmp_path), Path.cwd()
    found = study(UNLUCKY, lab, 3, UNLUCKY.calls(False, 1.0))
    expected = {f"unlucky:3:{i}" for i in range(20) if random.Random(f"unlucky:3:{i}").random() >= 0.5}
    assert set(found.failed) == expected and 0 < len(expected) < 20
    assert (found.trials, found.passed) == (40, 40 - 2 * len(expected))
    assert all("above a half" in why for why in found.failed.values())
    assert {path.name for path in tmp_path.iterdir()} == {PROGRAMS, CACHE} and Path.cwd() == before
    assert study(UNLUCKY, lab, 3, 20).failed == found.failed


def test_processes_end_with_their_trial(tmp_path):
    lab = Lab(tmp_path)
    with lab.trial("one"):
        process = lab.start("-c", "import time; time.sleep(600)")
        assert process.poll() is None
    assert process.poll() is not None


def test_the_table_tells_what_failed_and_what_was_not_run(tmp_path):
    outcomes = [
        study(UNLUCKY, Lab(tmp_path), 0, 4),
        study(Kind("absent", "it", absent, 9), Lab(tmp_path), 0, 9),
    ]
    table.write(tmp_path / "out", table.rows_of(outcomes, {"seed": 0}), ["unlucky", "absent"])
    text = (tmp_path / "out" / table.TABLE).read_text()
    assert "| absent | 0 | | | not run: nothing is installed |" in text and "seed 0" in text
    assert f"| **all** | **8** | **{outcomes[0].passed}** |" in text
    assert outcomes[0].failed and all(name in text for name in outcomes[0].failed)
    rows = [json.loads(line) for line in (tmp_path / "out" / table.ROWS).read_text().splitlines()]
    assert [row["kind"] for row in rows] == ["unlucky", "absent"]
    again = study(UNLUCKY, Lab(tmp_path), 0, 1)
    table.write(tmp_path / "out", table.rows_of([again], {"seed": 9}), ["unlucky", "absent"])
    text = (tmp_path / "out" / table.TABLE).read_text()
    assert "| **all** | **2** |" in text and "| absent | 0 |" in text and "- seed 9\n" in text


def test_the_study_is_as_large_as_it_is_said_to_be():
    trials = {name: kind.trials for name, kind in command.KINDS.items()}
    assert trials["training killed"] >= 50 and trials["search killed"] >= 10
    assert sum(count for name, count in trials.items() if "damaged" in name or "foreign" in name) >= 80
    assert trials["malformed input"] >= 1000
    assert sum(trials.values()) - trials["malformed input"] >= 200


def test_kinds_are_chosen_by_name():
    assert [kind.name for kind in command.chosen("row damaged, disk full")] == ["row damaged", "disk full"]
    assert len(command.chosen("")) == len(command.KINDS)
    with pytest.raises(ValueError, match="no kind of fault.*'disk full'"):
        command.chosen("disc full")


@pytest.mark.parametrize("damage", damages.DAMAGES)
def test_damage_changes_more_than_a_last_line_end(tmp_path, damage):
    whole = b'{"a": 1}\n'
    for seed in range(60):
        (tmp_path / "file").write_bytes(whole)
        damage(tmp_path / "file", random.Random(seed))
        left = (tmp_path / "file").read_bytes() if (tmp_path / "file").exists() else None
        assert left not in (whole, whole[:-1])


@pytest.mark.nightly
def test_a_glance_at_the_quick_kinds(tmp_path):
    words = [sys.executable, "-m", "experiments.faults", "--quick", f"--out={tmp_path / 'out'}"]
    plain = {key: value for key, value in os.environ.items() if not key.startswith(("JAX_", "XLA_"))}
    done = subprocess.run(
        words, cwd=REPOSITORY, env=plain, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "out" / table.TABLE).exists()
