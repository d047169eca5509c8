"""Report searches again, or several together, from what they left on disk.

python -m experiments.search_report --workdir=runs/controller
python -m experiments.search_report --workdir=runs/controller --workdir=runs/random --out=runs/both
python -m experiments.search_report --workdir=runs/controller --serve

`--serve` shows the page as `experiments.report --serve` does, and what searches have asked meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from experiments import cli, report
from search.reports.build import build
from search.runs.workdir import HISTORY, PAGE


def main(argv: Sequence[str]) -> None:
    """Write the report and print where everything is, or show it until Ctrl-C."""
    arguments = report.parser("experiments.search_report", __doc__).parse_args(argv)
    report.write_or_serve(arguments, write, PAGE, HISTORY)


def write(sources: Sequence[Path], out: Path, title: str) -> None:
    """Build the report of the searches in `sources`, print where everything is."""
    for path in build(sources, out, title).values():
        print(path)


if __name__ == "__main__":
    cli.run_command(main)
