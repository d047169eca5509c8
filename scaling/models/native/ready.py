"""The kernels there without asking: built once where a compiler is found, or one line on what is missing."""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import pkgutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import jax

from scaling.models import native
from scaling.models.native.build import build, compiler, library

COST = "CPU programs run as plain JAX, with some networks at half the speed"
OFF_HINT = f"{native.SWITCH}=0 says nothing and builds nothing"


def prepare(say: Callable[[str], None]) -> None:
    """Build the kernels unless they are there or turned off; `say` gets a line on what is done or missing.

    What once failed to compile is not tried again (`python -m experiments.native` does). Of several
    processes one builds, and the others wait for it.
    """
    if native.is_off() or native.available():
        return
    try:
        with _held(library()) as target:
            _build(target, say)
    except (OSError, RuntimeError) as error:
        say(f"note: no C++ kernels: {_first_line(error)} {COST}; {OFF_HINT}")


def only_cpus() -> bool:
    """Whether this environment can hold nothing but CPU devices, told without starting any."""
    if told := jax.config.jax_platforms:  # pyright: ignore[reportAttributeAccessIssue]
        return told.split(",")[0] == "cpu"
    return not accelerator_plugins()


def accelerator_plugins() -> list[str]:
    """Names of the installed packages by which JAX would find a GPU or TPU."""
    found = {entry.name for entry in importlib.metadata.entry_points(group="jax_plugins")}
    if (package := importlib.util.find_spec("jax_plugins")) is not None:
        places = package.submodule_search_locations or ()
        found |= {module.name for module in pkgutil.iter_modules(list(places))}
    if importlib.util.find_spec("libtpu") is not None:
        found.add("libtpu")
    return sorted(found)


def _build(target: Path, say: Callable[[str], None]) -> None:
    native.available.cache_clear()
    if native.available():  # another process was first
        return
    if (failed := failure(target)).exists():
        raise RuntimeError(f"they could not be built before ({failed} says why).")
    compiler()
    say(f"building C++ kernels for this processor, once (about half a minute; {OFF_HINT})")
    started = time.monotonic()
    try:
        build()
    except RuntimeError as error:
        failed.write_text(f"{error}\n")
        raise
    native.available.cache_clear()
    if native.available():
        say(f"built {target} in {time.monotonic() - started:.0f} s")


def failure(target: Path) -> Path:
    """Where it stands why a library could not be built."""
    return target.with_suffix(".failed")


def _first_line(error: Exception) -> str:
    line = str(error).splitlines()[0].rstrip(":")
    return line if line.endswith((".", "!")) else f"{line}."


@contextlib.contextmanager
def _held(target: Path) -> Iterator[Path]:
    """Hold the right to build one library, waiting for whoever has it."""
    import fcntl

    with open(target.with_suffix(".lock"), "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield target
