"""What all tests share: quick compilation on four virtual CPU devices, and the offline data if present."""

import gc
import itertools
import os
import tempfile
from importlib.metadata import version
from pathlib import Path

import pytest

# The programs here are too small to gain by optimised code; commands that tests start inherit this.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
# Nor by threads that compile, or by fusion through MLIR, which takes longer than all else that compiles them.
# XLA ends a process for a flag that it does not know: jaxlib 0.10 has the second one, 0.12 has it no more.
QUICK = ["--xla_cpu_parallel_codegen_split_count=1"]
if tuple(map(int, version("jaxlib").split(".")[:2])) < (0, 11):
    QUICK.append("--xla_cpu_use_fusion_emitters=false")
os.environ["XLA_FLAGS"] = " ".join(
    (*QUICK, os.environ.get("XLA_FLAGS", ""))
)  # the caller's come last and win

import jax

jax.config.update("jax_num_cpu_devices", 4)

# Not the user's own cache: what it holds (compiled programs, C++ kernels) would decide what is tested.
# The workers of a run, and the commands that they start, share one.
if "PYTEST_XDIST_WORKER" not in os.environ:
    CACHE = tempfile.TemporaryDirectory(prefix="jax-compound-tests-")
    os.environ["XDG_CACHE_HOME"] = CACHE.name

# Plain JAX unless a test asks for kernels: building them takes longer than most tests.
os.environ.setdefault("JAX_COMPOUND_NATIVE", "0")

# Nor is a program compiled twice, however many tests meet it.
PROGRAMS = tempfile.TemporaryDirectory(prefix="jax-compound-programs-")
jax.config.update("jax_compilation_cache_dir", PROGRAMS.name)
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)

MODULES = itertools.count(1)  # that are done

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Leave all but the representatives of a test, as its mark gives them, to the nightly run.

    With `night=n`, only the first n of the others; the rest is exhaustive.
    """
    seen: dict[str, int] = {}
    left: dict[str, int] = {}
    for item in items:
        if item.get_closest_marker("exhaustive"):  # of one case of a nightly test
            item.own_markers = [mark for mark in item.own_markers if mark.name != "nightly"]
        placed = any(item.get_closest_marker(name) for name in ("nightly", "exhaustive"))
        if placed or (mark := item.get_closest_marker("representatives")) is None:
            continue
        test = item.nodeid.partition("[")[0]
        place = seen[test] = seen.get(test, 0) + 1
        chosen = item.callspec.id if hasattr(item, "callspec") else ""
        kept = any(place <= told if isinstance(told, int) else told in chosen for told in mark.args)
        if not kept:
            left[test] = left.get(test, 0) + 1
            nightly = left[test] <= mark.kwargs.get("night", len(items))
            item.add_marker(pytest.mark.nightly if nightly else pytest.mark.exhaustive)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The directory with parity goldens, reference tables and real data beside the checkout."""
    path = REPOSITORY.parent / "shared"
    if not path.is_dir():
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI must have the offline data at {path}.")
        pytest.skip(f"needs the offline data directory {path}, which a clone does not have.")
    return path


@pytest.fixture(scope="module", autouse=True)
def bounded_memory():
    """Let compiled programs go now and then: those of all tests hold five gigabytes."""
    yield
    if next(MODULES) % 20 == 0:
        jax.clear_caches()
        gc.collect()


@pytest.fixture(scope="session")
def compilation_cache() -> str:
    """The directory of compiled programs, for commands that a test starts."""
    return PROGRAMS.name
