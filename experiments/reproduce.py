"""Make a published table again, beside the published figures.

python -m experiments.reproduce nasbench201 [TABLE ...] --data=DIR [--out=DIR] [--seeds=N]
python -m experiments.reproduce --list

DIR holds the published tables of architectures (nasbench201.csv.gz and so on). `--out` writes TABLE.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from experiments import cli
from experiments.tables import nasbench201, transfer
from scaling.rows import write_atomically
from scaling.spec import nearest

SEARCHES: dict[str, Callable[[Path, int], str]] = {
    "nasbench201": nasbench201.table,
    "search-transfer": transfer.table,
}


def main(argv: Sequence[str]) -> None:
    """Print the tables that the command line names."""
    arguments = _parser().parse_args(argv)
    if arguments.list or not arguments.table:
        for name, make in SEARCHES.items():
            print(f"{name:18} {(make.__doc__ or '').strip()}")
        return
    for name in arguments.table:
        if name not in SEARCHES:
            raise ValueError(f"no table {name!r}{nearest(name, SEARCHES)} --list names all {len(SEARCHES)}.")
    if arguments.data is None or not arguments.data.is_dir():
        raise ValueError(f"--data={arguments.data} is not a directory: give the one with nasbench201.csv.gz.")
    if arguments.seeds < 1:
        raise ValueError(
            f"--seeds={arguments.seeds} must be at least 1: it is how many searches are averaged."
        )
    for name in arguments.table:
        text = SEARCHES[name](arguments.data, arguments.seeds)
        print(text)
        if arguments.out:
            write_atomically(arguments.out / f"{name}.md", text)


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="experiments.reproduce", description=(__doc__ or "").partition("\n")[0], allow_abbrev=False
    )
    made.add_argument("table", nargs="*", metavar="TABLE", help="names of --list")
    made.add_argument("--list", action="store_true", help="name the tables")
    made.add_argument("--data", type=Path, metavar="DIR", help="where the tables of architectures are")
    made.add_argument("--out", type=Path, metavar="DIR", help="write TABLE.md there")
    made.add_argument("--seeds", type=int, default=nasbench201.SEEDS, metavar="N", help="searches a strategy")
    return made


if __name__ == "__main__":
    cli.run_command(main)
