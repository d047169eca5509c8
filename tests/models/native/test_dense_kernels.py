"""Dense kernels keep to the definition, to their arrays, and to their bits on any number of threads."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from scaling.models import native

CHECK = Path(__file__).parent / "dense_check.cc"
HEADERS = Path(native.__file__).parent
FLAGS = ("-std=c++20", "-ffp-contract=fast", "-pthread", "-I", str(HEADERS))
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")


@pytest.fixture
def check(tmp_path):
    """Build the check with some flags, and run it over random shapes."""
    compiler = next(filter(None, map(shutil.which, ("c++", "g++", "clang++"))), None)
    if compiler is None:
        pytest.skip("needs a C++ compiler")

    def run(seed: int, shapes: int, *flags: str) -> None:
        program = tmp_path / "check"
        subprocess.run([compiler, *FLAGS, *flags, "-o", str(program), str(CHECK)], check=True)
        done = subprocess.run([program, str(seed), str(shapes)], capture_output=True, text=True, check=False)
        assert not done.returncode, done.stdout + done.stderr

    return run


@pytest.mark.nightly
def test_random_shapes(check):
    check(0, 60, "-O1", "-march=native")


@pytest.mark.nightly
@pytest.mark.parametrize("processor", ["haswell", "x86-64"])
def test_more_random_shapes_at_every_width_of_vectors(check, processor):
    if os.uname().machine != "x86_64":
        pytest.skip("needs an x86-64 compiler")
    check(1, 100, "-O2", f"-march={processor}")


@pytest.mark.nightly
def test_nothing_is_read_or_written_beside_an_array(check):
    check(2, 60, "-O1", "-march=native", *SANITIZERS)
