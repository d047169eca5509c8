"""Notebooks run from top to bottom on a CPU, hold no output, and link to what there is."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted(REPOSITORY.glob("notebooks/*.ipynb"))


def sources(notebook: Path, kind: str) -> list[str]:
    """The texts of a notebook's cells of a kind."""
    cells = json.loads(notebook.read_text())["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == kind]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_is_committed_as_text_alone(notebook):
    cells = json.loads(notebook.read_text())["cells"]
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)
    for link in re.findall(r"\]\(([^)]+)\)", "".join(sources(notebook, "markdown"))):
        assert (notebook.parent / link).exists(), link
    for page in ("README.md", "docs/index.md"):
        assert notebook.name in (REPOSITORY / page).read_text()


@pytest.mark.nightly
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_runs(notebook, tmp_path):
    """Its cells are one program, in a process and a directory of its own; pictures are not shown."""
    program = "\n\n".join(sources(notebook, "code"))
    environment = {**os.environ, "MPLBACKEND": "agg", "PYTHONPATH": str(REPOSITORY), "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program],
        check=False,
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("test top-1") == 6 and list(tmp_path.glob("*/digits/report.html"))
