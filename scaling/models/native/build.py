"""Where the kernels' library lies, and how it is compiled: with the machine's own C++ compiler."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from importlib import metadata
from pathlib import Path

import jax

from scaling.border.private_cache import private_directory

SOURCES = ("depthwise.cc", "norm.cc")
HEADERS = ("parallel.h",)
# Contracting products and sums is the only freedom taken: no flag that changes what numbers mean.
FLAGS = ("-std=c++20", "-O3", "-march=native", "-ffp-contract=fast", "-fPIC", "-shared", "-pthread")
COMPILERS = ("c++", "g++", "clang++")
SECONDS = 600


def library() -> Path:
    """Return the path of the library for this source, JAX and processor; OSError without a safe place."""
    return private_directory("native") / f"kernels-{_fingerprint()}.so"


def build() -> Path:
    """Compile the kernels and return the library. RuntimeError, with the compiler's words, where it fails."""
    target, compiler = library(), _compiler()
    here, made = Path(__file__).parent, target.with_suffix(f".{os.getpid()}.tmp")
    sources = [str(here / name) for name in SOURCES]
    command = [compiler, *FLAGS, "-isystem", jax.ffi.include_dir(), "-o", str(made), *sources]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
        if done.returncode:
            raise RuntimeError(
                f"{compiler} failed:\n{done.stderr.strip()}\nIt needs C++20 (GCC 11, Clang 14)."
            )
        made.replace(target)
    finally:
        made.unlink(missing_ok=True)
    return target


def _compiler() -> str:
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
