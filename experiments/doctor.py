"""What this machine and installation have, in lines to paste into a report: python -m experiments.doctor"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
from collections.abc import Sequence
from pathlib import Path

import jax

from experiments import cli
from scaling.border.private_cache import private_directory
from scaling.models import native
from scaling.models.native.build import compiler, library
from scaling.models.native.ready import accelerator_plugins, failure
from scaling.training import environment

# Device files of drivers, and what makes JAX use the device
DRIVERS = {"/dev/nvidia0": "pip install -e '.[cuda13]' (or cuda12)", "/dev/accel0": "pip install -e '.[tpu]'"}
GIB = 2**30


def main(argv: Sequence[str]) -> int:
    """Print the facts a line each; 1 where something is there that stays unused."""
    argparse.ArgumentParser(prog="experiments.doctor", description=(__doc__ or "")).parse_args(argv)
    for name, fact in facts().items():
        print(f"{name}: {fact}")
    found = problems()
    for problem in found:
        print(f"problem: {problem}")
    return 1 if found else 0


def facts() -> dict[str, str]:
    """What is installed and found here, as text by name."""
    versions = environment.versions()
    kernels = versions.pop("kernels", "plain JAX")
    return {
        "versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
        "revision": environment.git_revision() or "no checkout",
        "system": f"{platform.platform()}, {os.cpu_count()} cores",
        "devices": f"{jax.device_count()} x {jax.devices()[0].device_kind} ({jax.default_backend()})",
        "accelerator packages": ", ".join(accelerator_plugins()) or "none",
        "compiler": _or_error(compiler),
        "CPU programs": kernels,
        "cache": _or_error(lambda: f"{private_directory('compiled')}, {_free(Path.home())}"),
        "disk here": _free(Path.cwd()),
    }


def problems() -> list[str]:
    """What keeps this machine below what it can do, each with the remedy."""
    found = []
    if jax.default_backend() == "cpu":
        found += [
            f"{device} is there, but JAX computes on the CPU: {remedy}"
            for device, remedy in DRIVERS.items()
            if Path(device).exists()
        ]
        found += _kernel_problems()
    return found


def _kernel_problems() -> list[str]:
    if native.available() or native.is_off():
        return []
    try:
        told = failure(library())
        compiler()
    except (OSError, RuntimeError) as error:
        return [f"C++ kernels cannot be built: {error}"]
    if told.exists():
        return [f"C++ kernels could not be built ({told} says why): python -m experiments.native tries again"]
    return []  # the first command that trains builds them


def _or_error(fact) -> str:
    try:
        return fact()
    except (OSError, RuntimeError) as error:
        return f"none: {error}"


def _free(path: Path) -> str:
    return f"{shutil.disk_usage(path).free / GIB:.1f} GiB free"


if __name__ == "__main__":
    cli.run_command(main)
