"""The scripts of docs/many_machines.md: an array's tasks all run the one command that shares the work."""

import os
import re
import shlex
import subprocess
from pathlib import Path

from experiments import cli

GUIDE = Path(__file__).resolve().parents[1] / "docs" / "many_machines.md"
# As SLURM does it: once for each number of the script's array, after it has read the script's options
SBATCH = """#!/usr/bin/env bash
range=$(sed -n "s/^#SBATCH --array=//p" "$1")
for i in $(seq "${range%-*}" "${range#*-}"); do SLURM_ARRAY_TASK_ID=$i bash "$@" || exit; done
"""
PYTHON = """#!/usr/bin/env bash
echo "$SLURM_ARRAY_TASK_ID $*" >> "$RECORD"
"""


def test_every_task_of_the_array_runs_the_same_sweep(tmp_path):
    (script,) = re.findall(r"```bash file=array.sh\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    (tmp_path / "array.sh").write_text(script)
    for name, text in (("sbatch", SBATCH), ("python", PYTHON)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "RECORD": str(tmp_path / "record")}
    command = ["sbatch", str(tmp_path / "array.sh"), "configs/quickstart.py", "/shared/a directory"]
    subprocess.run(command, env=environment, check=True, timeout=60)
    told = "-m experiments.sweep --config=configs/quickstart.py --workdir=/shared/a directory"
    assert (tmp_path / "record").read_text().splitlines() == [f"{i} {told}" for i in range(8)]


def test_the_recipe_of_large_batches_is_a_run_of_lars():
    (text,) = re.findall(r"```bash\n(python -m experiments.train [^`]*=lars[^`]*)```", GUIDE.read_text())
    words, overrides = cli.split(shlex.split(text.replace("\\\n", " "))[3:])
    spec = cli.load_spec(words[0].removeprefix("--config="), overrides)
    assert (spec.optimizer.name, spec.train.batch, spec.schedule.name) == ("lars", 32768, "poly")
