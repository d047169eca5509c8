"""Build the C++ kernels of CPU programs again: python -m experiments.native

Commands that train on a CPU build them by themselves, once; this one tries again what failed or is damaged.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from experiments import cli
from scaling.models import native
from scaling.models.native.build import build
from scaling.models.native.ready import failure


def main(argv: Sequence[str]) -> int:
    """Compile for this machine, load, and say where the library lies; 1 where it cannot be built."""
    argparse.ArgumentParser(prog="experiments.native", description=(__doc__ or "")).parse_args(argv)
    try:
        path = build()
    except (OSError, RuntimeError) as error:
        print(f"the kernels were not built: {error}")
        return 1
    failure(path).unlink(missing_ok=True)
    if native.is_off():
        print(f"built {path}; {native.SWITCH}=0 keeps programs from using it")
        return 0
    native.available.cache_clear()
    if not native.available():
        return 1
    print(f"built {path}; CPU programs of this user use it ({native.SWITCH}=0 goes back to plain JAX)")
    return 0


if __name__ == "__main__":
    cli.run_command(main)
