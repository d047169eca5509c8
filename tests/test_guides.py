"""The Python blocks of a guide run, in order, in one empty directory."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parent.parent / "docs"
BLOCK = re.compile(r"^```python(?: (no-run|file=\S+))?\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.mark.representatives(1)
@pytest.mark.parametrize("guide", ["weights.md", "own_network.md", "searching.md"])
def test_the_blocks_of_a_guide_run(guide, tmp_path, monkeypatch):
    """Blocks fenced as "python no-run" need a network: they must compile. Those with "file=" are files."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(DOCS.parent))  # for the processes that a block starts
    blocks = BLOCK.findall((DOCS / guide).read_text())
    assert sum(not kind for kind, _ in blocks) >= 2
    names: dict = {}
    for kind, block in blocks:
        code = compile(block, guide, "exec")
        if kind.startswith("file="):
            Path(kind.removeprefix("file=")).write_text(block)
        elif not kind:
            exec(code, names)  # noqa: S102 - our own text
