"""The compilation cache: private, bounded, shared by processes, and never the reason that a run ends."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scaling.border.private_cache import make_private

REPOSITORY = Path(__file__).resolve().parents[2]

# Prints the directory in use, how many programs came from it, and results to the last bit.
PROGRAM = """
import os, sys, types
from pathlib import Path
import jax, jax.numpy as jnp

for package in ("scaling", "scaling.training"):  # what they import at their door takes longer than all below
    sys.modules[package] = types.ModuleType(package)
    sys.modules[package].__path__ = [package.replace(".", "/")]
from scaling.training import compilation_cache

compilation_cache.LIMIT = int(os.environ.get("LIMIT", compilation_cache.LIMIT))
hits = compilation_cache.count_hits()
told = Path(sys.argv[1]) if len(sys.argv) > 1 else None
print(compilation_cache.enable(told))
x = jnp.linspace(0.0, 1.0, 4096).reshape(64, 64)
results = [jax.jit(jax.grad(lambda x, n=n: jnp.sum(jnp.tanh(x @ x) ** n)))(x) for n in range(2, 5)]
sums = [float(jnp.sum(jnp.sin(1e3 * r))).hex() for r in results]
print(hits())
print(*sums)
"""


@pytest.fixture
def start(tmp_path):
    """Return a function that starts the program: (*arguments, **environment) -> process."""
    return starter(tmp_path)


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """The directory that a first process filled, a copy of it, and what the process said."""
    home = tmp_path_factory.mktemp("first")
    said = finish(starter(home)(home / "kept"))
    shutil.copytree(home / "kept", home / "copy")
    return home / "kept", home / "copy", said


@pytest.fixture
def kept(first):
    """The directory as the first process left it, at its place: a program is found by that, too."""
    shutil.rmtree(first[0])
    return shutil.copytree(first[1], first[0])


def starter(tmp_path):
    (tmp_path / "home").mkdir()
    started = []

    def launch(*arguments, **environment):
        # Where a program's lines stand, and in which file, must not matter.
        started.append(tmp_path / f"program{len(started)}.py")
        started[-1].write_text("\n" * len(started) + PROGRAM)
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("JAX_", "XDG_"))}
        return subprocess.Popen(
            [sys.executable, started[-1], *map(str, arguments)],
            env=kept | {"JAX_PLATFORMS": "cpu", "HOME": str(tmp_path / "home"), **environment},
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return launch


def finish(process) -> tuple[str, int, str, str]:
    """Return the directory, the number of hits, the results and what was said to the user."""
    out, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    directory, hits, results = out.splitlines()
    return directory, int(hits), results, errors


def programs(directory) -> list[Path]:
    return sorted(Path(directory).glob("*-cache"))


def test_a_second_process_finds_what_the_first_compiled_and_computes_the_same(start, tmp_path):
    cold, warm = finish(start()), finish(start())
    assert cold[0] == warm[0] and Path(cold[0]).is_relative_to(tmp_path / "home" / ".cache" / "jax-compound")
    assert cold[1] == 0 and warm[1] == len(programs(cold[0])) >= 3
    assert cold[2] == warm[2]
    assert cold[3] == warm[3] == ""
    path = Path(cold[0])
    while path != tmp_path / "home":
        assert path.stat().st_mode & 0o777 == 0o700, path
        path = path.parent


@pytest.mark.nightly
def test_the_users_cache_home_is_used(start, tmp_path):
    assert finish(start(XDG_CACHE_HOME=str(tmp_path / "xdg")))[0].startswith(str(tmp_path / "xdg"))


@pytest.mark.nightly
def test_what_the_user_told_jax_stands(start, tmp_path):
    chosen = tmp_path / "chosen"
    assert finish(start(JAX_COMPILATION_CACHE_DIR=str(chosen)))[0] == str(chosen)
    assert finish(start(JAX_ENABLE_COMPILATION_CACHE="0"))[:2] == ("None", 0)
    assert not any((tmp_path / "home").iterdir())


def test_a_directory_that_others_can_write_to_is_refused(start, tmp_path):
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    directory, hits, _, errors = finish(start(tmp_path / "open"))
    assert (directory, hits) == ("None", 0) and not any((tmp_path / "open").iterdir())
    assert errors.count("\n") == 1 and "has mode 777" in errors and "chmod 700" in errors


def test_a_directory_of_another_user_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    with pytest.raises(PermissionError, match="belongs to user .* directory of your own"):
        make_private(tmp_path)


@pytest.mark.nightly
def test_without_a_place_the_run_goes_on(start, tmp_path):
    (tmp_path / "file").write_text("")
    directory, _, _, errors = finish(start(HOME=str(tmp_path / "file")))
    assert directory == "None"
    assert errors.count("\n") == 1 and errors.startswith("compiled programs are not kept: ")


@pytest.mark.nightly
def test_a_damaged_program_is_compiled_anew(start, first, kept):
    cut, flipped, empty, *others = programs(kept)
    data, other = cut.read_bytes(), flipped.read_bytes()
    cut.write_bytes(data[: len(data) // 2])
    middle = slice(len(other) // 2, len(other) // 2 + 32)  # of a single bit, one in a thousand has no meaning
    flipped.write_bytes(
        other[: middle.start] + bytes(byte ^ 0xFF for byte in other[middle]) + other[middle.stop :]
    )
    empty.write_bytes(b"")
    again = finish(start(kept))
    assert again[1] == len(others) and again[2] == first[2][2]
    assert "Error reading persistent compilation cache entry" in again[3]


@pytest.mark.nightly
def test_a_write_that_was_killed_is_made_again(start, first, kept):
    victim = programs(kept)[0]
    victim.write_bytes(victim.read_bytes()[: victim.stat().st_size // 2])
    victim.with_name(victim.name.removesuffix("-cache") + "-atime").unlink()
    healed = finish(start(kept))
    assert healed[1] == len(programs(kept)) - 1 and healed[2:] == first[2][2:]
    after = finish(start(kept))
    assert after[1] == len(programs(kept)) and after[2:] == first[2][2:]


@pytest.mark.nightly
def test_the_directory_stays_below_its_limit(start, first, tmp_path):
    sizes = [path.stat().st_size for path in programs(first[0])]
    limit = sum(sizes) // 2
    assert finish(start(tmp_path / "kept", LIMIT=str(limit)))[3] == ""
    kept = [path.stat().st_size for path in programs(tmp_path / "kept")]
    assert max(sizes) <= sum(kept) <= limit


@pytest.mark.nightly
def test_processes_share_a_directory(start, tmp_path):
    together = [finish(process) for process in [start(tmp_path / "kept") for _ in range(3)]]
    assert len({result[2:] for result in together}) == 1 and together[0][3] == ""
    assert finish(start(tmp_path / "kept"))[1] == len(programs(tmp_path / "kept"))
