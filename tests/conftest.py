"""Fixtures shared by all tests: four virtual CPU devices, and the offline data where it lies."""

import os
from pathlib import Path

import jax
import pytest

jax.config.update("jax_num_cpu_devices", 4)

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared() -> Path:
    """The directory with parity goldens, reference tables and real data beside the checkout."""
    path = REPOSITORY.parent / "shared"
    if not path.is_dir():
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI must have the offline data at {path}.")
        pytest.skip(f"needs the offline data directory {path}, which a clone does not have.")
    return path
