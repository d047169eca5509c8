"""Every command's --help is complete: each flag says what it is, and is called alike in all commands."""

import argparse
import importlib
import re
from pathlib import Path

import pytest

from experiments.__main__ import COMMANDS
from scaling.border.typed import flatten
from scaling.runs.spec import RunSpec

REPOSITORY = Path(__file__).resolve().parents[2]
README = (REPOSITORY / "README.md").read_text()
PAGES = [REPOSITORY / "README.md", *sorted(REPOSITORY.glob("docs/*.md"))]
COMMAND = re.compile(r"(?:python -m experiments\.|jax-compound )([a-z_]+)([^`\n#]*)")
CONFIG = re.compile(r"--config=(configs/(?!(?:search_)?x\.py)\w+\.py)")  # x.py is anybody's


class Found(Exception):
    """Carries the parser that a command made."""


def parser_of(name, monkeypatch):
    """The parser of a command, caught as it begins to read its words."""

    def catch(parser, words=None, namespace=None):
        raise Found(parser)

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", catch)
    package = name in ("benchmarks", "faults")
    module = importlib.import_module(f"experiments.{name}.__main__" if package else f"experiments.{name}")
    with pytest.raises(Found) as found:
        module.main([])
    return found.value.args[0]


def actions_of(name, monkeypatch):
    return [a for a in parser_of(name, monkeypatch)._actions if a.dest != "help"]


@pytest.mark.parametrize("name", COMMANDS)
def test_each_argument_says_what_it_is(name, monkeypatch):
    parser = parser_of(name, monkeypatch)
    assert parser.description and parser.format_help()
    for action in parser._actions:
        assert action.help, f"{name} {action.option_strings or action.dest}"


@pytest.mark.parametrize("name", COMMANDS)
def test_the_readme_names_flags_that_the_command_has(name, monkeypatch):
    known = {flag for action in actions_of(name, monkeypatch) for flag in action.option_strings}
    lines = re.findall(rf"^\| `{name}\b.*$", README, re.MULTILINE)
    assert lines
    named = set(re.findall(r"(--[a-z_]+)(?![\w.])", lines[0].split(" | ")[0]))
    assert named <= known


def test_a_flag_is_one_thing_in_all_commands(monkeypatch):
    seen = {}
    for name in COMMANDS:
        for action in actions_of(name, monkeypatch):
            for flag in action.option_strings:
                kind = "flag" if action.nargs == 0 else "value"
                seen.setdefault(flag, {}).setdefault((kind, action.dest), []).append(name)
    unlike = {flag: kinds for flag, kinds in seen.items() if len(kinds) > 1}
    assert not unlike
    assert all(re.fullmatch(r"--?[a-z_]+", flag) for flag in seen)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_s_commands_have_their_flags_configs_and_fields(page, monkeypatch):
    """As a page writes it: optional parts in brackets, placeholders for what flags are set to."""
    fields = set(flatten(RunSpec().to_dict()))
    for name, words in COMMAND.findall(page.read_text()):
        assert name in COMMANDS, name
        known = {flag for action in actions_of(name, monkeypatch) for flag in action.option_strings}
        for flag in re.findall(r"(?<![\w-])(--[\w.]+)", words):
            field = re.sub(r"^--config\.((search\.)?run\.)?", "", flag)
            assert flag in known or field in fields, f"{name} {flag}"
        for config in CONFIG.findall(words):
            assert (REPOSITORY / config).is_file(), config
