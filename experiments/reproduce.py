"""Print a published table beside our own figures: paper | ours | difference | source.

python -m experiments.reproduce efficientnet-7 [TABLE ...] [--out=DIR]
python -m experiments.reproduce all --out=DIR
python -m experiments.reproduce --list

Counts are computed; accuracies come from the rows committed below experiments/results, and stay empty,
with the command that trains them, where there are none. `--out` writes Markdown and CSV.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from experiments import cli
from experiments.tables import coefficients, densenet, efficientnet, mobile, regnet, render, residual
from experiments.tables.entry import Table
from scaling.rows import write_atomically
from scaling.spec import nearest

TABLES: dict[str, Callable[[], Table]] = {
    "efficientnet-1": efficientnet.table_1,
    "efficientnet-2": efficientnet.table_2,
    "efficientnet-3": efficientnet.table_3,
    "efficientnet-7": efficientnet.table_7,
    "efficientnet-coefficients": coefficients.strict_or_official,
    "efficientnetv2-7": efficientnet.v2_table_7,
    "mobilenetv1-6": mobile.v1_table_6,
    "mobilenetv1-7": mobile.v1_table_7,
    "mobilenetv2-4": mobile.v2_table_4,
    "shufflenetv1-2": mobile.shuffle_table_2,
    "mnasnet-grid": mobile.mnasnet_grid,
    "wrn-4": residual.wrn_table_4,
    "wrn-5": residual.wrn_table_5,
    "cifar-resnet-6": residual.cifar_table_6,
    "resnext-7": residual.resnext_table_7,
    "resnet-rs": residual.resnet_rs,
    "densenet-2": densenet.table_2,
    "densenet-3": densenet.table_3,
    "regnet": regnet.regnet,
}


def main(argv: Sequence[str]) -> None:
    arguments = _parser().parse_args(argv)
    if arguments.list or not arguments.table:
        for name, make in TABLES.items():
            print(f"{name:26} {(make.__doc__ or '').partition('.')[0]}")
        return
    for name in _names(arguments.table):
        table = TABLES[name]()
        print(render.to_wide(table) if arguments.wide else render.to_markdown(table, name))
        if arguments.out:
            write_atomically(arguments.out / f"{name}.md", render.to_markdown(table, name))
            write_atomically(arguments.out / f"{name}.csv", render.to_csv(table))


def _names(asked: Sequence[str]) -> list[str]:
    if list(asked) == ["all"]:
        return list(TABLES)
    for name in asked:
        if name not in TABLES:
            raise ValueError(
                f"no table {name!r}{nearest(name, TABLES) or '.'} --list names all {len(TABLES)}."
            )
    return list(asked)


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="experiments.reproduce", description=(__doc__ or "").partition("\n")[0], allow_abbrev=False
    )
    made.add_argument("table", nargs="*", metavar="TABLE", help="names of --list, or all")
    made.add_argument("--list", action="store_true", help="name the tables")
    made.add_argument("--wide", action="store_true", help="our figures alone, one line a row")
    made.add_argument("--out", type=Path, metavar="DIR", help="write TABLE.md and TABLE.csv there")
    return made


if __name__ == "__main__":
    cli.run_command(main)
