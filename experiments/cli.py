"""The border of every command: `--config` files, `--config.a=b` overrides, errors as one paragraph.

Overrides are typed by `RunSpec`, so that every key can be set, also one the file leaves at its default.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import os
import signal
import sys
import textwrap
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
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


def at_least_one(text: str) -> int:
    """Read a number of things of which there must be one, as the `type` of an argument."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} must be a whole number of at least 1")
    return int(text)


def parse(made: argparse.ArgumentParser, argv: Sequence[str]) -> tuple[argparse.Namespace, dict[str, str]]:
    """Split a command line into parsed arguments, --config found, and `{"section.key": text}` overrides."""
    rest, overrides = split(argv)
    arguments = made.parse_args(rest)
    given, arguments.config = arguments.config, find_config(arguments.config)
    if arguments.config != given:
        print(f"note: --config={given} is {arguments.config}")
    return arguments, overrides


def split(argv: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Part `--config.section.key=text` overrides from the other words of a command line."""
    rest, overrides = [], {}
    words = iter(argv)
    for word in words:
        if word.startswith("--config."):
            key, equals, text = word.removeprefix("--config.").partition("=")
            overrides[key] = text if equals else next(words, "")
        else:
            rest.append(word)
    return rest, overrides


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
    with _blaming(path):
        found.loader.exec_module(module)
    return module


def read_function(path: str, name: str) -> Callable[[], Any] | None:
    """What calls `name` of a config file ("x.py", or "x.py:argument"); None where it has no such function."""
    file, _, argument = path.partition(":")
    function = getattr(read_module(file), name, None) if file.endswith(".py") else None
    if function is None:
        return None

    def call() -> Any:
        with _blaming(file):
            return function(argument) if argument else function()

    return call


@contextlib.contextmanager
def _blaming(path: str) -> Iterator[None]:
    """Turn what a config file raises into a sentence that says where; a config is code, and ends as such."""
    try:
        yield
    except SyntaxError as error:
        raise ValueError(
            f"{error.filename or path}, line {error.lineno}, is no Python: {error.msg}."
        ) from error
    except ImportError as error:
        raise ValueError(
            f"--config={path}, line {_line_of(error, path)}, imports what is not here: {error}. Install it, or take "
            "the import out."
        ) from error
    except Exception as error:
        raise ValueError(
            f"--config={path} fails in line {_line_of(error, path)}: {type(error).__name__}: {error}"
        ) from error


def _line_of(error: Exception, path: str) -> int | str:
    """The last line of a file that an error passed through."""
    own, frames = Path(path).resolve(), traceback.extract_tb(error.__traceback__)
    return next((frame.lineno or "?" for frame in frames[::-1] if Path(frame.filename).resolve() == own), "?")


def read_config(path: str) -> dict[str, Any]:
    """Read `get_config()` of a Python file ("x.py", or "x.py:argument"), or a run's `config.json`."""
    file = path.partition(":")[0]
    if file.endswith(".json"):
        try:
            config = read_json(Path(file))
        except (OSError, ValueError) as error:
            raise ValueError(f"--config={path} cannot be read: {error}") from error
        if not isinstance(config, dict):
            raise ValueError(f"--config={path} holds no sections of keys: give a run's config.json.")
        return config
    get_config = read_function(path, "get_config")
    if get_config is None:
        raise ValueError(f"--config={path} has no get_config(): define it and return a ConfigDict.")
    config = get_config()
    config = config.to_dict() if hasattr(config, "to_dict") else config
    if not isinstance(config, Mapping):
        raise ValueError(  # noqa: TRY004 - as for any other mistake in a config
            f"get_config() of {file} returned {config!r}: let it return a ConfigDict or a dict."
        )
    return dict(config)


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
