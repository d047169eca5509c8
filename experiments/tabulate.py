"""Make one table out of searches that asked for every point of a space, each with a seed of its own.

python -m experiments.tabulate runs/seed0 runs/seed1 --out=FILE.csv [--metric=val_top1]

A line is a point: a column a decision, the point's name, its metric in each search as METRIC_SEED, parameters
and multiply-adds. `python -m experiments.search_table` compares strategies on it.
"""

from __future__ import annotations

import argparse
import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from experiments import cli
from scaling.border.files import write_atomically
from search.reports.source import FinishedSearch, read_searches, unlike
from search.runs.history import Record
from search.spaces.catalogue import named

COSTS = ("params", "macs")

Row = dict[str, str | int | float]


def main(argv: Sequence[str]) -> None:
    """Write the table, and say how many points and networks it has and how far its seeds agree."""
    arguments = _parser().parse_args(argv)
    searches = read_searches(arguments.workdirs)
    rows, names = tabulate(searches, arguments.metric)
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(arguments.out, buffer.getvalue().encode())
    networks = len({record.network for record in searches[0].records})
    print(f"{arguments.out}: {len(rows)} points, {networks} networks, columns {', '.join(names)}")
    for name in names[1:]:
        first, other = (np.array([row[column] for row in rows], float) for column in (names[0], name))
        print(f"{names[0]} and {name}: correlation {np.corrcoef(first, other)[0, 1]:.3f}")


def tabulate(searches: Sequence[FinishedSearch], metric: str) -> tuple[list[Row], list[str]]:
    """The table's rows in the order of the points, and the columns of the metric.

    ValueError where searches differ in more than their seed, share one, or where a point is missing.
    """
    if differing := unlike(searches):
        raise ValueError(
            f"the searches differ in {', '.join(differing)}: tabulate those that differ in the seed alone."
        )
    seeds = [search.config["run"]["seed"] for search in searches]
    if len(set(seeds)) < len(seeds):
        raise ValueError(f"config.run.seed is {seeds} in the searches: each must have its own.")
    names = [f"{metric}_{seed}" for seed in seeds]
    found = [{record.point: record for record in search.records} for search in searches]
    space = searches[0].config["space"]
    points = named(space["name"], **space.get("settings", {})).points().tolist()
    return [_row(tuple(point), searches, found, names, metric) for point in points], names


def _row(
    point: tuple[int, ...],
    searches: Sequence[FinishedSearch],
    found: Sequence[dict[tuple[int, ...], Record]],
    names: Sequence[str],
    metric: str,
) -> Row:
    row: Row = {f"decision_{i}": value for i, value in enumerate(point)}
    for search, records, name in zip(searches, found, names):
        record = _checked(search.directory, point, records.get(point), metric)
        row["arch"] = record.name
        row[name] = round(record.metrics[metric], 6)
        row |= {cost: int(record.metrics[cost]) for cost in COSTS if cost in record.metrics}
    return row


def _checked(directory: Path, point: tuple[int, ...], record: Record | None, metric: str) -> Record:
    """Return the record; ValueError where there is none, or it lacks the metric."""
    if record is None:
        raise ValueError(
            f"{directory} has no line for point {list(point)}: go on with strategy 'grid' until "
            "config.evaluations is the size of the space."
        )
    if metric not in record.metrics:
        raise ValueError(
            f"{directory}: point {list(point)} is {record.status!r} and has no {metric!r} ({record.message}): "
            f"--metric must be one of {', '.join(record.metrics) or 'those of a point that was trained'}."
        )
    return record


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="experiments.tabulate", description=(__doc__ or "").partition("\n")[0], allow_abbrev=False
    )
    made.add_argument("workdirs", nargs="+", type=Path, metavar="DIR", help="what a search has written")
    made.add_argument("--out", required=True, type=Path, metavar="FILE", help="the CSV file to write")
    made.add_argument("--metric", default="val_top1", metavar="NAME", help="the metric (default val_top1)")
    return made


if __name__ == "__main__":
    cli.run_command(main)
