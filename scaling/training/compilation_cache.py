"""JAX's persistent compilation cache in a private directory: a process finds what earlier ones compiled."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import jax

from scaling.border.private_cache import make_private, private_directory

LIMIT = 4 * 2**30  # bytes of compiled programs a directory; those used longest ago go first
LOCK_SECONDS = 10.0
HIT = "/jax/compilation_cache/cache_hits"


def enable(directory: Path | None = None) -> Path | None:
    """Keep compiled programs in `directory`, 0700, and take them from there; None where nothing is kept.

    By default below the user's cache (`scaling.border.private_cache`). What the user told JAX stands:
    $JAX_COMPILATION_CACHE_DIR with JAX's own settings, and $JAX_ENABLE_COMPILATION_CACHE=0. A directory
    that cannot be written, or that others can write to (a compiled program is code), is not used; one
    line says why, and the command goes on.
    """
    if not jax.config.values["jax_enable_compilation_cache"]:
        return None
    if told := jax.config.values["jax_compilation_cache_dir"]:
        return Path(told)
    try:
        private = make_private(directory) if directory else private_directory("compiled")
        _drop_unfinished(private)
    except (OSError, RuntimeError) as error:
        print(f"compiled programs are not kept: {error}", file=sys.stderr)
        return None
    use(private)
    return private


def count_hits() -> Callable[[], int]:
    """Count from now on the programs found instead of compiled; return a function that gives the count."""
    found = []

    def listen(event: str, **_) -> None:
        found.extend([event] * (event == HIT))

    jax.monitoring.register_event_listener(listen)
    return lambda: len(found)


def use(directory: Path) -> None:
    """Keep compiled programs in `directory` and take them from there, whatever the user told JAX."""
    settings = {
        "jax_compilation_cache_dir": str(directory),
        "jax_compilation_cache_max_size": LIMIT,
        # A start needs many small programs too.
        "jax_persistent_cache_min_compile_time_secs": 0.0,
        "jax_persistent_cache_min_entry_size_bytes": -1,
    }
    for name, value in settings.items():
        jax.config.update(name, value)


def _drop_unfinished(directory: Path) -> None:
    """Delete what a killed process left half written: JAX would neither read nor replace it.

    A program `X-cache` is complete once `X-atime` is beside it; both are written under this lock.
    """
    try:
        import filelock
    except ImportError as error:
        raise RuntimeError(
            "the size of the cache is bounded by help of a package: install filelock."
        ) from error
    with filelock.FileLock(directory / ".lockfile", timeout=LOCK_SECONDS):
        for program in directory.glob("*-cache"):
            if not program.with_name(f"{program.name.removesuffix('-cache')}-atime").exists():
                program.unlink()
