"""Build the C++ kernels that training on a CPU uses where they are there: python -m experiments.native"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from experiments import cli
from scaling.models import native
from scaling.models.native.build import build


def main(argv: Sequence[str]) -> int:
    """Compile for this machine, load, and say where the library lies; 1 where it cannot be built."""
    argparse.ArgumentParser(prog="experiments.native", description=(__doc__ or "")).parse_args(argv)
    try:
        path = build()
    except (OSError, RuntimeError) as error:
        print(f"the kernels were not built: {error}")
        return 1
    if not native.available():
        return 1
    print(f"built {path}; CPU programs of this user use it from now on (delete it to go back to plain JAX)")
    return 0


if __name__ == "__main__":
    cli.run_command(main)
