"""Print a published table beside our own figures: paper | ours | difference | source.

python -m experiments.reproduce efficientnet-7 [TABLE ...] [--out=DIR]
python -m experiments.reproduce all --out=DIR
python -m experiments.reproduce nasbench201 --data=DIR [--seeds=N]
python -m experiments.reproduce --list
python -m experiments.reproduce cifar-resnet-6 --train=ResNet-20 --workdir=DIR --config.data.dir=DIR

Counts are computed; accuracies come from the rows committed below experiments/results, and stay empty,
with the command that trains them, where there are none. Searches run on published tables of
architectures, which lie in --data (nasbench201.csv.gz and so on). `--out` writes Markdown, and CSV of counts.

`--list` names the tables; of each the rows that are trained, by their runs, and those that a config trains,
with the hours on this machine: their FLOPs over the rate of one measured step, of small ones their own, of
others that of a dense network, which depthwise ones do not reach. `--train` trains one of these by its
config, and goes on where it was ended.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from experiments import cli
from experiments.tables import (
    coefficients,
    densenet,
    efficientdet,
    efficientnet,
    mobile,
    nasbench201,
    open_rows,
    proxy,
    regnet,
    render,
    residual,
    settings,
    small,
    transfer,
)
from experiments.tables.entry import Table
from scaling.border.files import write_atomically
from scaling.border.typed import nearest

TABLES: dict[str, Callable[[], Table]] = {
    "efficientnet-1": efficientnet.table_1,
    "efficientnet-2": efficientnet.table_2,
    "efficientnet-3": efficientnet.table_3,
    "efficientnet-7": efficientnet.table_7,
    "efficientnet-7-proxy": proxy.table_7,
    "efficientnet-coefficients": coefficients.strict_or_official,
    "efficientnetv2-7": efficientnet.v2_table_7,
    "efficientdet-1": efficientdet.table_1,
    "mobilenetv1-6": mobile.v1_table_6,
    "mobilenetv1-7": mobile.v1_table_7,
    "mobilenetv2-4": mobile.v2_table_4,
    "shufflenetv1-2": mobile.shuffle_table_2,
    "mnasnet-grid": mobile.mnasnet_grid,
    "wrn-4": residual.wrn_table_4,
    "wrn-5": residual.wrn_table_5,
    "cifar-resnet-6": residual.cifar_table_6,
    "lenet5": small.lenet5,
    "nasbench201-cells": small.nasbench201_cells,
    "resnext-7": residual.resnext_table_7,
    "resnet-rs": residual.resnet_rs,
    "densenet-2": densenet.table_2,
    "densenet-3": densenet.table_3,
    "regnet": regnet.regnet,
}
SEARCHES: dict[str, Callable[[Path, int], str]] = {
    "nasbench201": nasbench201.table,
    "search-settings": settings.table,
    "search-transfer": transfer.table,
}


def main(argv: Sequence[str]) -> int | None:
    """Print the tables that the command line names, or train a row of one; return the exit code."""
    rest, overrides = cli.split(argv)
    arguments = _parser().parse_args(rest)
    _check_flags(arguments, overrides)
    if arguments.list or not arguments.table:
        _list(arguments.table or [*TABLES, *SEARCHES])
        return None
    if arguments.train:
        return _train(arguments, overrides)
    for name in _names(arguments):
        if name in SEARCHES:
            text, csv = SEARCHES[name](arguments.data, arguments.seeds or nasbench201.SEEDS), None
        else:
            table = TABLES[name]()
            text, csv = render.to_markdown(table, name), render.to_csv(table)
            if arguments.wide:
                print(render.to_wide(table))
        if not arguments.wide or csv is None:
            print(text)
        if arguments.out:
            write_atomically(arguments.out / f"{name}.md", text)
            if csv is not None:
                write_atomically(arguments.out / f"{name}.csv", csv)
    return None


def _check_flags(arguments: argparse.Namespace, overrides: Mapping[str, str]) -> None:
    """Raise ValueError for a flag that nothing which is asked for reads."""
    trains = [f"--config.{key}={value}" for key, value in overrides.items()]
    trains += [f"--workdir={arguments.workdir}"] if arguments.workdir else []
    if trains and not arguments.train:
        raise ValueError(f"{trains[0]} is for training a row: add --train=ROW, or leave it out.")
    if arguments.seeds is not None and not set(arguments.table) & set(SEARCHES):
        raise ValueError(
            f"--seeds={arguments.seeds} is for tables of searches: name one of {', '.join(SEARCHES)}, or leave it out."
        )


def _list(names: Sequence[str]) -> None:
    from scaling.training.start import start

    if set(names) & set(TABLES):
        start(devices=True)  # a step is measured as training would take it
    for name in names:
        make = {**TABLES, **SEARCHES}[_known(name)]
        told = (make.__doc__ or "").strip().partition(".")[0]
        if name in SEARCHES:
            print(f"{name:26} {told}")
            continue
        table = TABLES[name]()
        print("; ".join(filter(None, (f"{name:26} {told}", open_rows.summary(table)))))
        for line in open_rows.lines(table):
            print(f"    {line}")


def _train(arguments: argparse.Namespace, overrides: Mapping[str, str]) -> int:
    """Train one row by its config; ValueError where the table has no such row, or it is not said where."""
    if len(arguments.table) != 1 or arguments.table[0] not in TABLES or arguments.workdir is None:
        raise ValueError(
            f"--train={arguments.train} needs one table with accuracies, and where to train: "
            "reproduce TABLE --train=ROW --workdir=DIR."
        )
    from experiments import train

    (name,) = arguments.table
    recipe = open_rows.recipe_of(TABLES[name](), name, arguments.train)
    flags = [*recipe.flags, *(f"--config.{key}={value}" for key, value in overrides.items())]
    print("python -m experiments.train " + " ".join(flags) + f" --workdir={arguments.workdir}")
    return train.main([*flags, f"--workdir={arguments.workdir}"])


def _known(name: str) -> str:
    if name not in (known := {**TABLES, **SEARCHES}):
        raise ValueError(f"no table {name!r}{nearest(name, known) or '.'} --list names all {len(known)}.")
    return name


def _names(arguments: argparse.Namespace) -> list[str]:
    """The tables asked for, "all" being those that are counted; ValueError for one that cannot be made."""
    asked = list(arguments.table)
    if asked == ["all"]:
        return list(TABLES)
    for name in asked:
        _known(name)
    if set(asked) & set(SEARCHES):
        if arguments.data is None or not arguments.data.is_dir():
            raise ValueError(
                f"--data={arguments.data} is not a directory: give the one with nasbench201.csv.gz."
            )
        if arguments.seeds is not None and arguments.seeds < 1:
            raise ValueError(
                f"--seeds={arguments.seeds} must be at least 1: it is how many searches are averaged."
            )
    return asked


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="experiments.reproduce",
        description=(__doc__ or "").partition("\n")[0],
        allow_abbrev=False,
        epilog="With --train, any field of its config: --config.section.key=value, e.g. --config.seed=1.",
    )
    made.add_argument("table", nargs="*", metavar="TABLE", help="names of --list, or all")
    made.add_argument("--list", action="store_true", help="name the tables, and what of them is trained")
    made.add_argument("--train", metavar="ROW", help="train this row of the table by its config")
    made.add_argument("--workdir", type=Path, metavar="DIR", help="where --train writes, and goes on")
    made.add_argument("--wide", action="store_true", help="our figures alone, one line a row")
    made.add_argument("--out", type=Path, metavar="DIR", help="write TABLE.md and TABLE.csv there")
    made.add_argument("--data", type=Path, metavar="DIR", help="where the tables of architectures are")
    made.add_argument(
        "--seeds", type=int, metavar="N", help=f"searches a strategy (default {nasbench201.SEEDS})"
    )
    return made


if __name__ == "__main__":
    cli.run_command(main)
