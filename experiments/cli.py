"""The border of every command: `--config` files, `--config.a=b` overrides, errors as one paragraph.

Overrides are typed by `RunSpec`, so that every key can be set, also one the file leaves at its default.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import signal
import sys
import textwrap
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from scaling.border import disk
from scaling.border.files import read_json
from scaling.border.typed import nearest, override
from scaling.runs.spec import RunSpec

ROOMS = ("scaling", "search", "experiments", "configs")
CONFIGS = Path("configs")
INSTALLED = Path(__file__).resolve().parent.parent / CONFIGS  # beside this package, wherever that is
USAGE_ERROR = 2


def parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser with `--config` and `--workdir`; overrides are read by `parse`."""
    made = argparse.ArgumentParser(
        description=description,
        allow_abbrev=False,
        epilog="Any field of the config: --config.section.key=value, e.g. --config.train.batch=64.",
    )
    made.add_argument(
        "--config",
        required=True,
        metavar="FILE",
        help="configs/x.py, x for one of configs/ here or as installed, or a run's config.json",
    )
    made.add_argument(
        "--workdir", required=True, type=Path, metavar="DIR", help="where everything is written"
    )
    return made


def parse(made: argparse.ArgumentParser, argv: Sequence[str]) -> tuple[argparse.Namespace, dict[str, str]]:
    """Split a command line into parsed arguments, --config found, and `{"section.key": text}` overrides."""
    rest, overrides = [], {}
    words = iter(argv)
    for word in words:
        if word.startswith("--config."):
            key, equals, text = word.removeprefix("--config.").partition("=")
            overrides[key] = text if equals else next(words, "")
        else:
            rest.append(word)
    arguments = made.parse_args(rest)
    given, arguments.config = arguments.config, find_config(arguments.config)
    if arguments.config != given:
        print(f"note: --config={given} is {arguments.config}")
    return arguments, overrides


def find_config(path: str) -> str:
    """The file that --config names: as it lies here, or else of that name in configs/ here or as installed.

    An argument (x.py:argument) stays with it. ValueError where there is none.
    """
    file, colon, argument = path.partition(":")
    given = Path(file)
    if given.suffix == ".json" or (given.suffix == ".py" and given.is_file()):
        return path
    if given.suffix in ("", ".py") and given.parent in (Path(), CONFIGS):
        for directory in (CONFIGS, INSTALLED):
            if (found := directory / f"{given.stem}.py").is_file():
                return f"{found}{colon}{argument}"
    known = sorted({found.stem for directory in (CONFIGS, INSTALLED) for found in directory.glob("[!_]*.py")})
    raise ValueError(
        f"--config={path} is neither a Python file nor a config by name{nearest(given.stem, known) or '.'} "
        f"Give a path, or one of {', '.join(known)}."
    )


def read_module(path: str) -> ModuleType:
    """Import a config file by its path; ValueError where there is none."""
    path = find_config(path)
    found = importlib.util.spec_from_file_location(f"config_{Path(path).stem}", path)
    assert found is not None and found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def read_config(path: str) -> dict[str, Any]:
    """Read `get_config()` of a Python file ("x.py", or "x.py:argument"), or a run's `config.json`."""
    file, _, argument = path.partition(":")
    if file.endswith(".json"):
        try:
            config = read_json(Path(file))
        except (OSError, ValueError) as error:
            raise ValueError(f"--config={path} cannot be read: {error}") from error
        if not isinstance(config, dict):
            raise ValueError(f"--config={path} holds no sections of keys: give a run's config.json.")
        return config
    module = read_module(file)
    if not hasattr(module, "get_config"):
        raise ValueError(f"--config={path} has no get_config(): define it and return a ConfigDict.")
    config = module.get_config(argument) if argument else module.get_config()
    return config.to_dict() if hasattr(config, "to_dict") else dict(config)


def load_spec(path: str, changes: Mapping[str, Any], kind: type = RunSpec, free: Sequence[str] = ()) -> Any:
    """Read a config file, apply the overrides and build the spec, once a process.

    Every field of the spec can be set; sections of `free` take any key.
    """
    every_field = kind.from_dict(read_config(path)).to_dict()
    return kind.from_config(override(every_field, changes, free))


def run_command(command: Callable[[Sequence[str]], int | None]) -> None:
    """Run `command(argv)` and exit: our own errors become a paragraph (and their list) and exit code 2."""
    try:
        code = command(sys.argv[1:]) or 0
        sys.stdout.flush()
        sys.exit(code)
    except (ValueError, KeyError) as error:
        if not _is_ours(error):
            raise
        _refuse(str(error.args[0]) if error.args else repr(error))
    except BrokenPipeError:  # who reads us, `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE)
    except OSError as error:
        if not (text := disk.sentence(error)):
            raise
        _refuse(text)
    except KeyboardInterrupt:
        sys.exit(130)


def _refuse(text: str) -> NoReturn:
    lines = [textwrap.fill(line, 100, break_long_words=False) for line in text.splitlines()]
    print("error: " + "\n".join(lines), file=sys.stderr)
    sys.exit(USAGE_ERROR)


def _is_ours(error: Exception) -> bool:
    """Whether one of our rooms raised it; an error from within a library keeps its traceback."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    module = frames[-1].f_globals.get("__name__", "")
    return module == "__main__" or module.split(".")[0] in ROOMS
