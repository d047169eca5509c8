"""How good estimates were: told of finished runs that have both, and of no others."""

import dataclasses

from scaling.reports import table
from scaling.reports.estimates import told
from scaling.reports.study import Study
from scaling.runs.rows import Row
from scaling.runs.spec import RunSpec
from scaling.sweeps.run import lost_row


def row(seed: int, **fields) -> Row:
    bare = lost_row(dataclasses.replace(RunSpec(), seed=seed), "ok", "", 100.0)
    return dataclasses.replace(bare, peak_memory=10**9, **fields)


ROWS = [
    row(0, estimated_seconds=125.0, estimated_memory=9 * 10**8),
    row(1, estimated_seconds=140.0, estimated_memory=10**9),
    row(2),
    dataclasses.replace(row(3, estimated_seconds=1.0, estimated_memory=1), status="failed"),
]


def test_ratios_are_of_finished_runs_that_have_both():
    time, memory, _, _, _, *lines = told(ROWS)
    assert "1.25 to 1.40 times what was measured" in time and "1 of 2 within 30%" in time
    assert "0.90 to 1.00 times" in memory and "2 of 2 within 20%" in memory
    assert len(lines) == 2 and "| 1 min 40 s | 2 min 5 s | 1.25 | 1.00 GB | 900 MB | 0.90 |" in lines[0]


def test_a_study_without_estimates_says_nothing_of_them():
    assert told(ROWS[2:]) == []
    assert "## Estimates" in table.to_markdown(Study(tuple(ROWS)), "x")
    assert "stimate" not in table.to_markdown(Study(tuple(ROWS[2:])), "x")
