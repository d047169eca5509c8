"""The code in docs/backbones.md runs, block after block, and its assertions hold."""

import re
from pathlib import Path


def test_the_examples_run():
    text = (Path(__file__).resolve().parent.parent / "docs/backbones.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == 5
    exec(compile("\n".join(blocks), "docs/backbones.md", "exec"), {})
