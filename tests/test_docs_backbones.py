"""The code in docs/backbones.md runs, block after block, and its assertions hold."""

import re
from pathlib import Path

GUIDE = Path(__file__).resolve().parent.parent / "docs" / "backbones.md"


def test_the_examples_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    assert len(blocks) == 5
    names: dict = {}
    for block in blocks:
        exec(compile(block, GUIDE.name, "exec"), names)  # noqa: S102 - our own text
