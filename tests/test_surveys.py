"""docs/surveys.md names what is here: every name resolves, every command's network is built, no family is
missing."""

import importlib
import re
import shlex
from pathlib import Path

import pytest

from experiments import cli
from experiments.__main__ import COMMANDS as RUNS
from scaling import zoo
from scaling.arch.heads import HEADS
from scaling.runs.resolve import resolve
from scaling.tasks import TASKS

REPOSITORY = Path(__file__).resolve().parent.parent
COLUMNS = ("year", "system", "introduced", "here", "command", "reached", "published")
LINES = re.findall(r"^\| (\d{4} \|.*) \|$", (REPOSITORY / "docs" / "surveys.md").read_text(), re.MULTILINE)
ROWS = [dict(zip(COLUMNS, map(str.strip, line.split(" | ")), strict=True)) for line in LINES]
NAMES = sorted({name for row in ROWS for name in re.findall(r"`([^`]+)`", row["here"])})
COMMANDS = sorted({row["command"].strip("`") for row in ROWS})


def network(name: str):
    """The zoo's network of a name, or None."""
    try:
        return zoo.get(name)
    except KeyError:
        return None


def test_systems_stand_once_and_in_order():
    years = [int(row["year"]) for row in ROWS]
    assert years == sorted(years) and len({row["system"] for row in ROWS}) == len(ROWS) > 60


@pytest.mark.parametrize("name", NAMES)
def test_a_name_resolves(name):
    path, _, defined = name.partition(":")
    if "/" not in path:
        assert network(name) or name in HEADS or name in TASKS
        return
    assert (REPOSITORY / path).is_file()
    if defined:
        assert hasattr(importlib.import_module(path.removesuffix(".py").replace("/", ".")), defined)


def test_every_family_of_the_zoo_is_here():
    known = {arch.family for arch in {**zoo.ZOO, **zoo.DENSE}.values()}
    told = {arch.family for name in NAMES if (arch := network(name))}
    assert told >= known, sorted(known - told)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_has_a_network_that_its_task_trains(command):
    python, flag, module, *options = shlex.split(command)
    assert (python, flag) == ("python", "-m") and (REPOSITORY / f"{module.replace('.', '/')}.py").is_file()
    config = next((option.partition("=")[2] for option in options if option.startswith("--config=")), "")
    if not config:  # of what a run has left
        assert module.removeprefix("experiments.") in RUNS and any(
            one.startswith("--run=") for one in options
        )
        return
    assert (REPOSITORY / config).is_file()
    if module != "experiments.search":
        texts = (
            one.removeprefix("--config.").partition("=") for one in options if one.startswith("--config.")
        )
        spec = cli.load_spec(config, {key: text for key, _, text in texts})
        assert type(resolve(spec.model, 10, 3)[0].head).__name__ in TASKS[spec.task].heads


def test_what_was_reached_is_committed():
    told = [row["reached"] for row in ROWS if row["reached"]]
    assert len(told) > 30
    for figure, study in (re.fullmatch(r"([\d.]+) \((\w+)\)", one).groups() for one in told):
        tables = [path.read_text() for path in (REPOSITORY / "experiments" / "results" / study).rglob("*.md")]
        assert any(figure in text for text in tables)
