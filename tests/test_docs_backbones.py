"""The code in docs/backbones.md runs, block after block, and its assertions hold."""

import re
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent


def test_the_examples_run():
    blocks = re.findall(r"```python\n(.*?)```", (REPOSITORY / "docs/backbones.md").read_text(), re.DOTALL)
    assert len(blocks) == 5
    command = [sys.executable, "-c", "\n".join(blocks)]
    done = subprocess.run(command, check=False, cwd=REPOSITORY, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
