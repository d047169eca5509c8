"""Where the kernels' library lies, and how it is compiled: with the machine's own C++ compiler."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path

import jax

from scaling.border.private_cache import private_directory

SOURCES = ("dense.cc", "depthwise.cc", "norm.cc")
HEADERS = (
    "convolution.h",
    "parallel.h",
    "vectors.h",
    "group_tiles.h",
    "narrow_groups.h",
    "depthwise.h",
    "dense.h",
    "dense_tiles.h",
    "dense_frame.h",
    "dense_gather.h",
    "dense_weight_gradient.h",
)
# Contracting products and sums is the only freedom taken: no flag that changes what numbers mean.
FLAGS = ("-std=c++20", "-O3", "-march=native", "-ffp-contract=fast", "-fPIC", "-pthread")
COMPILERS = ("c++", "g++", "clang++")
SECONDS = 600


def library() -> Path:
    """Return the path of the library for this source, JAX and processor; OSError without a safe place."""
    return private_directory("native") / f"kernels-{_fingerprint()}.so"


def build() -> Path:
    """Compile the kernels and return the library. RuntimeError, with the compiler's words, where it fails."""
    target, program = library(), compiler()
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        here, made = Path(__file__).parent, Path(scratch) / target.name
        objects = [Path(scratch) / f"{name}.o" for name in SOURCES]
        includes = ("-isystem", jax.ffi.include_dir())
        commands = [
            [program, *FLAGS, *includes, "-c", "-o", str(out), str(here / name)]
            for name, out in zip(SOURCES, objects)
        ]
        with ThreadPoolExecutor() as pool:  # a file is a process of its own
            list(pool.map(_run, commands))
        _run([program, *FLAGS, "-shared", "-o", str(made), *map(str, objects)])
        made.replace(target)
    return target


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        told = "try again where less runs, or set CXX to another compiler."
        raise RuntimeError(f"{command[0]} took more than the {SECONDS} s that it may: {told}") from error
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed:\n{done.stderr.strip()}\nIt needs C++20 (GCC 11, Clang 14).")


def compiler() -> str:
    """Return the path of the C++ compiler; RuntimeError where there is none."""
    named = os.environ.get("CXX")
    found = next(filter(None, map(shutil.which, [named] if named else COMPILERS)), None)
    if found is None:
        raise RuntimeError(
            f"no C++ compiler found ({named or ', '.join(COMPILERS)}): install g++ or set CXX. Nothing is lost "
            "without: the same operators run as plain JAX."
        )
    return found


def _fingerprint() -> str:
    """Name what the machine code depends on beside the processor: source, flags, JAX's headers."""
    here, found = Path(__file__).parent, hashlib.sha256()
    for name in (*SOURCES, *HEADERS):
        found.update((here / name).read_bytes())
    found.update(repr((FLAGS, metadata.version("jaxlib"))).encode())
    return found.hexdigest()[:16]
