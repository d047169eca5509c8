"""The table of zero-cost scores is made again from the committed scores."""

import shutil

from experiments import zero_cost
from experiments.tables.committed import RESULTS

NAME = "zero-cost"


def test_the_committed_table_is_made_again_from_its_scores(shared, tmp_path):
    committed = RESULTS / "search"
    shutil.copy(committed / f"{NAME}.csv", tmp_path)
    zero_cost.main([f"--data={shared / 'data' / 'nas'}", f"--out={tmp_path}"])
    assert (tmp_path / f"{NAME}.md").read_text() == (committed / f"{NAME}.md").read_text()
