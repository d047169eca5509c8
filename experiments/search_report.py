"""Report searches again, or several together, from what they left on disk.

python -m experiments.search_report --workdir=runs/controller
python -m experiments.search_report --workdir=runs/controller --workdir=runs/random --out=runs/both
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from experiments import cli
from search.reports.build import build


def main(argv: Sequence[str]) -> None:
    """Write the report and print where everything is."""
    arguments = _parser().parse_args(argv)
    if len(arguments.workdir) > 1 and arguments.out is None:
        raise ValueError(
            "several --workdir make one report: say where with --out=DIR, so that none is overwritten."
        )
    out = arguments.out or arguments.workdir[0]
    for path in build(arguments.workdir, out, arguments.title or out.resolve().name).values():
        print(path)


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="experiments.search_report", description=(__doc__ or "").partition("\n")[0], allow_abbrev=False
    )
    made.add_argument(
        "--workdir", action="append", required=True, type=Path, metavar="DIR", help="may be repeated"
    )
    made.add_argument("--out", type=Path, metavar="DIR", help="where to write (default: the workdir)")
    made.add_argument("--title", help="heading (default: the name of the directory)")
    return made


if __name__ == "__main__":
    cli.run_command(main)
