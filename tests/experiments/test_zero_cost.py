"""The table of zero-cost scores is made again from the committed scores, which are of one batch and seed."""

import shutil

import pytest

from experiments import zero_cost
from experiments.tables.committed import RESULTS
from search.core.evaluation import Evaluation
from search.core.table import read_rows

NAME = "zero-cost"


@pytest.fixture
def command(shared, tmp_path, monkeypatch):
    """The command on a file that a test writes; its scores are a cell's place among those asked for."""

    class Places:
        def __init__(self, space, run, batch):
            pass

        def __call__(self, points):
            for i, _ in enumerate(points):
                yield Evaluation(dict.fromkeys(zero_cost.SCORES, float(i)))

    monkeypatch.setattr(zero_cost, "ZeroCost", Places)
    monkeypatch.setattr(zero_cost, "start", lambda devices: None)
    return [f"--data={shared / 'data' / 'nas'}", f"--out={tmp_path}"]


@pytest.fixture
def committed(tmp_path):
    return shutil.copy(RESULTS / "search" / f"{NAME}.csv", tmp_path)


def test_the_committed_table_is_made_again_from_its_scores(command, committed, tmp_path):
    for drawn in ([], ["--batch=64", "--seed=3"]):
        zero_cost.main([*command, *drawn])
        assert (tmp_path / f"{NAME}.md").read_text() == (RESULTS / "search" / f"{NAME}.md").read_text()


def test_scores_of_another_batch_or_seed_are_not_added(command, committed, tmp_path):
    before = (tmp_path / f"{NAME}.csv").read_bytes()
    for other in ("--batch=64", "--seed=1"):
        with pytest.raises(ValueError, match=f"{other} differs from the .* of .*csv, (32|0): give that one"):
            zero_cost.main([*command, f"--images={tmp_path}", other])
    assert (tmp_path / f"{NAME}.csv").read_bytes() == before
    (tmp_path / f"{NAME}.csv").write_bytes(before.replace(b",32,0,", b",64,0,", 1))
    with pytest.raises(ValueError, match="line 3: batch 32 and seed 0, where the first line has 64 and 0"):
        zero_cost.main(command)


def test_a_run_that_ended_at_the_header_goes_on(command, tmp_path):
    path = tmp_path / f"{NAME}.csv"
    path.write_text(",".join(zero_cost.COLUMNS) + "\n")
    for cells in (5, 8):
        zero_cost.main([*command, f"--images={tmp_path}", f"--cells={cells}", "--batch=16", "--seed=2"])
        rows = read_rows(path)
        assert len({row["arch"] for row in rows}) == len(rows) == cells
        assert {(row["batch"], row["seed"]) for row in rows} == {("16", "2")}
    assert "Ours: 16 training images, seed 2" in (tmp_path / f"{NAME}.md").read_text()
