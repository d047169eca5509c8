"""Report searches again, or several together, from what they left on disk.

python -m experiments.search_report --workdir=runs/controller
python -m experiments.search_report --workdir=runs/controller --workdir=runs/random --out=runs/both
"""

from __future__ import annotations

from collections.abc import Sequence

from experiments import cli, report
from search.reports.build import build


def main(argv: Sequence[str]) -> None:
    """Write the report and print where everything is."""
    arguments = report.parser("experiments.search_report", __doc__).parse_args(argv)
    for path in build(*report.told(arguments)).values():
        print(path)


if __name__ == "__main__":
    cli.run_command(main)
