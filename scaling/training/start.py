"""What a command does before it computes: programs and memory kept, C++ kernels built."""

from __future__ import annotations

import sys
from pathlib import Path

import jax

from scaling.models.native.ready import only_cpus, prepare
from scaling.training import compilation_cache
from scaling.training.allocator import keep_memory


def start(devices: bool = False, cache: Path | None = None) -> None:
    """Make this process ready to compute, before its first program; `devices` as for `build_kernels`.

    Compiled programs are kept in the directory `cache`, by default where other runs find them.
    """
    if cache:
        compilation_cache.use(cache)
    else:
        compilation_cache.enable()
    keep_memory()
    build_kernels(devices)


def build_kernels(devices: bool = False) -> None:
    """Build the C++ kernels where programs will run on a CPU.

    With `devices` this process looks at what there is to compute on; without, it touches none, so that others
    can have them, and builds only where nothing but a CPU can be found.
    """
    if jax.default_backend() == "cpu" if devices else only_cpus():
        prepare(_say)


def _say(line: str) -> None:
    """Print a line that is no part of a command's answer."""
    print(line, file=sys.stderr, flush=True)
