"""Write table, picture and page again, from rows alone.

python -m experiments.report --workdir=runs/quickstart
python -m experiments.report --workdir=runs/a --workdir=runs/b --out=runs/both --title="A and B"
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from experiments import cli
from scaling.reports.build import CSV, PAGE, PICTURE, TABLE, Study, build, read_study


def main(argv: Sequence[str]) -> None:
    arguments = _parser().parse_args(argv)
    if len(arguments.workdir) > 1 and arguments.out is None:
        raise ValueError(
            "several --workdir make one report: say where with --out=DIR, so that none is overwritten."
        )
    out = arguments.out or arguments.workdir[0]
    write(arguments.workdir, out, arguments.title or out.resolve().name)


def write(sources: Sequence[Path], out: Path, title: str) -> Study:
    """Build the report of the runs in `sources`, print what was bad and where everything is."""
    study = read_study(sources)
    for problem in study.problems:
        print(f"bad row, left out: {problem}")
    paths = build(study, out, title)
    print(f"{len(study.rows)} rows: {paths[CSV]}")
    for what, name in (("table", TABLE), ("picture", PICTURE), ("page", PAGE)):
        print(f"{what}: {paths[name]}")
    return study


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="experiments.report", description=(__doc__ or "").partition("\n")[0], allow_abbrev=False
    )
    made.add_argument(
        "--workdir", action="append", required=True, type=Path, metavar="DIR", help="may be repeated"
    )
    made.add_argument("--out", type=Path, metavar="DIR", help="where to write (default: the workdir)")
    made.add_argument("--title", help="heading (default: the name of the directory)")
    return made


if __name__ == "__main__":
    cli.run_command(main)
