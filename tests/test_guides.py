"""The Python blocks of a guide run, in order, in one empty directory."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parent.parent / "docs"


@pytest.mark.parametrize("guide", ["weights.md"])
def test_the_blocks_of_a_guide_run(guide, tmp_path, monkeypatch):
    """Blocks fenced as "python no-run" need a network: they must compile."""
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(
        r"^```python( no-run)?\n(.*?)^```", (DOCS / guide).read_text(), re.MULTILINE | re.DOTALL
    )
    assert sum(not skipped for skipped, _ in blocks) >= 2
    names: dict = {}
    for skipped, block in blocks:
        code = compile(block, guide, "exec")
        if not skipped:
            exec(code, names)  # noqa: S102 - our own text
