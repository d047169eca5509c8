"""The kernels come by themselves where a compiler is, once, and say what is missing where none is."""

import shutil
import subprocess
import sys
from pathlib import Path

import jax
import pytest

from scaling.models import native
from scaling.models.native import ready
from scaling.models.native.build import library
from scaling.models.operators import operators_of

# What was compiled is kept for the tests after: without optimisation, too, it takes 20 seconds
QUICK_COMPILER = """#!{python}
import os, shutil, subprocess, sys
out = sys.argv[sys.argv.index("-o") + 1]
with open({log!r}, "a") as file:
    file.write(out + "\\n")
kept = os.path.join({kept!r}, os.path.basename(out))
if not os.path.exists(kept):
    subprocess.run(["c++", "-O0", *(word for word in sys.argv[1:] if word != "-O3")], check=True)
    shutil.copy(out, kept + ".new")
    os.replace(kept + ".new", kept)
else:
    shutil.copy(kept, out)
"""


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    """A private cache of its own, in which kernels are wanted."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv(native.SWITCH, "1")
    native.available.cache_clear()
    yield tmp_path
    native.available.cache_clear()


@pytest.fixture(scope="module")
def kept(tmp_path_factory) -> Path:
    """A directory for what has been compiled."""
    return tmp_path_factory.mktemp("kept")


@pytest.fixture
def compiler(empty_cache, monkeypatch, kept) -> Path:
    """A compiler that does not optimise and writes down what it made; skip without a real one."""
    if shutil.which("c++") is None:
        pytest.skip("needs a C++ compiler to build the kernels")
    script, log = empty_cache / "compiler", empty_cache / "made.txt"
    script.write_text(QUICK_COMPILER.format(python=sys.executable, log=str(log), kept=str(kept)))
    script.chmod(0o700)
    monkeypatch.setenv("CXX", str(script))
    return log


def start(code: str) -> subprocess.Popen:
    """A process of its own: one process never takes back a library that it has loaded."""
    told = f"from scaling.models import native; from scaling.models.native.ready import prepare; {code}"
    return subprocess.Popen([sys.executable, "-c", told], stdout=subprocess.PIPE, text=True)


@pytest.mark.nightly
def test_of_two_processes_one_builds_and_both_use(compiler):
    both = [start("prepare(print); print(native.available())") for _ in range(2)]
    said = [process.communicate(timeout=300)[0].splitlines() for process in both]
    assert [lines[-1] for lines in said] == ["True", "True"]
    assert sorted(map(len, said)) == [1, 3]
    assert sum(line.endswith(".so") for line in compiler.read_text().splitlines()) == 1


@pytest.mark.nightly
def test_a_damaged_library_is_built_again(compiler):
    library().write_bytes(b"not a library")
    said = start("prepare(print); print(native.available())").communicate(timeout=300)[0]
    assert said.splitlines()[-1] == "True"


def test_what_cannot_be_compiled_is_said_and_not_tried_again(empty_cache, monkeypatch):
    broken, count = empty_cache / "broken", empty_cache / "count"
    broken.write_text(f"#!/bin/sh\necho once >> {count}\necho it broke >&2\nexit 3\n")
    broken.chmod(0o700)
    monkeypatch.setenv("CXX", str(broken))
    said = []
    ready.prepare(said.append)
    tried = count.read_text()
    ready.prepare(said.append)
    assert count.read_text() == tried
    notes = [line for line in said if line.startswith("note: ")]
    assert len(notes) == 2 and all("plain JAX" in line and "\n" not in line for line in notes)
    assert "it broke" in ready.failure(library()).read_text()


def test_without_a_compiler_one_line_says_what_that_costs(empty_cache, monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    said = []
    ready.prepare(said.append)
    assert len(said) == 1 and "no-such-compiler" in said[0] and ready.COST in said[0]
    assert operators_of() == operators_of("cpu")


def test_a_cache_that_others_can_write_to_is_not_used(empty_cache):
    library().parent.chmod(0o777)
    said = []
    ready.prepare(said.append)
    assert len(said) == 1 and "mode 777" in said[0]


def test_turned_off_it_builds_and_says_nothing(compiler, monkeypatch):
    monkeypatch.setenv(native.SWITCH, "0")
    said = []
    ready.prepare(said.append)
    assert not said and not compiler.exists() and native.named() == "plain JAX"


def test_an_accelerator_that_may_be_there_is_left_to_those_who_compute(monkeypatch):
    monkeypatch.setattr(ready, "accelerator_plugins", lambda: ["cuda"])
    before = jax.config.jax_platforms
    try:
        jax.config.update("jax_platforms", None)
        assert not ready.only_cpus()
        jax.config.update("jax_platforms", "cpu")
        assert ready.only_cpus()
    finally:
        jax.config.update("jax_platforms", before)
