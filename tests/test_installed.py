"""The wheel, where nothing of the checkout is in reach: what it holds, what it needs, what it runs."""

import os
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

from scaling.runs import store

REPOSITORY = Path(__file__).resolve().parent.parent
PACKAGES = ("scaling", "search", "configs", "experiments")
DATA = (
    "*/py.typed", "*/reports/web/*", "scaling/models/native/*.cc", "scaling/models/native/*.h",
    "experiments/tables/*.csv", "experiments/results/*/rows.csv",
)  # fmt: skip
CORE = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]

pytestmark = pytest.mark.nightly


def run(*command, cwd, timeout, **variables) -> str:
    """What a command prints, run in an environment without Python's variables."""
    environment = {name: text for name, text in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [str(word) for word in command],
        check=False,
        cwd=cwd,
        env=environment | variables,
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Built of a copy, so that what an earlier build left behind is not in it."""
    source = tmp_path_factory.mktemp("source")
    for name in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__", "*.png", "*.jsonl")
        shutil.copytree(REPOSITORY / name, source / name, ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, source)
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", ".", cwd=source, timeout=300)
    return next(source.glob("*.whl"))


@pytest.fixture
def empty(tmp_path) -> Path:
    (tmp_path / "empty").mkdir()
    return tmp_path / "empty"


def test_the_wheel_holds_every_file_that_code_reads(wheel):
    held = set(zipfile.ZipFile(wheel).namelist())
    files = {path for name in PACKAGES for path in (REPOSITORY / name).rglob("*.py")}
    files |= {path for pattern in DATA for path in REPOSITORY.glob(pattern) if path.is_file()}
    wanted = {str(path.relative_to(REPOSITORY)) for path in files}
    assert len(wanted) > 300 and not wanted - held


def test_the_core_libraries_are_enough_to_import_and_count(wheel, empty, tmp_path):
    venv.create(tmp_path / "core", with_pip=True)
    python = tmp_path / "core" / "bin" / "python"
    needs = [need for need in PROJECT["dependencies"] if need.partition(">")[0] in CORE]
    assert len(needs) == len(CORE)
    run(python, "-m", "pip", "install", "--quiet", "--no-compile", *needs, cwd=empty, timeout=600)
    run(python, "-m", "pip", "install", "--quiet", "--no-deps", wheel, cwd=empty, timeout=60)
    program = (
        "import importlib.util, scaling; cost = scaling.count(scaling.get('efficientnet_b0')); "
        "assert not any(map(importlib.util.find_spec, ('ml_collections', 'jinja2', 'matplotlib'))); "
        "print(cost.params, scaling.__version__, scaling.__file__)"
    )
    params, version, file = run(python, "-c", program, cwd=empty, timeout=120).split()
    assert params == "5288548" and version in wheel.name and Path(file).is_relative_to(tmp_path / "core")


@pytest.fixture(scope="module")
def target(wheel, tmp_path_factory) -> Path:
    """Where the wheel is installed in this environment, whose own installation of us lies behind it."""
    target = tmp_path_factory.mktemp("target")
    install = ("install", "--quiet", "--no-deps", "--target", target)
    run(sys.executable, "-m", "pip", *install, wheel, cwd=target, timeout=60)
    return target


def test_the_zoo_is_listed_in_an_empty_directory(target, empty):
    said = run(target / "bin" / "jax-compound", "zoo", cwd=empty, timeout=300, PYTHONPATH=str(target))
    assert said.startswith("# The zoo") and "| `efficientnet_b0` | 224 | 5,288,548 |" in said
    assert not list(empty.iterdir())


def test_the_quickstart_runs_from_an_empty_directory(target, empty):
    command = (target / "bin" / "jax-compound", "sweep", "--config=configs/quickstart.py", "--workdir=out")
    short = ("--config.train.duration=1 epochs", "--config.schedule.warmup=0 epochs")
    short += ("--config.model.base_depth=0.2",)  # few layers to compile
    said = run(*command, *short, cwd=empty, timeout=900, PYTHONPATH=str(target))
    assert f"note: --config=configs/quickstart.py is {target / 'configs' / 'quickstart.py'}" in said
    rows = store.scan(empty / "out").rows.values()
    assert [row.status for row in rows] == ["ok"] * 6
    assert (empty / "out" / "report.html").stat().st_size > 1e6
