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
    """Write the report and print where everything is."""
    write(*parse("experiments.report", __doc__, argv))


def parse(prog: str, doc: str | None, argv: Sequence[str]) -> tuple[list[Path], Path, str]:
    """What a command that reports directories is told: the directories, where to write, the heading."""
    arguments = _parser(prog, doc).parse_args(argv)
    if len(arguments.workdir) > 1 and arguments.out is None:
        raise ValueError(
            "several --workdir make one report: say where with --out=DIR, so that none is overwritten."
        )
    out = arguments.out or arguments.workdir[0]
    return arguments.workdir, out, arguments.title or out.resolve().name


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


def _parser(prog: str, doc: str | None) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog=prog, description=(doc or "").partition("\n")[0], allow_abbrev=False)
    made.add_argument(
        "--workdir", action="append", required=True, type=Path, metavar="DIR", help="may be repeated"
    )
    made.add_argument("--out", type=Path, metavar="DIR", help="where to write (default: the workdir)")
    made.add_argument("--title", help="heading (default: the name of the directory)")
    return made


if __name__ == "__main__":
    cli.run_command(main)
