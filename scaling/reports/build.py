"""From directories of runs to the four artefacts: a function of rows and of nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from scaling.border.files import write_atomically
from scaling.reports import figure, learning, page, table
from scaling.reports.study import Study
from scaling.runs import store
from scaling.runs.recorded import SECTIONS
from scaling.runs.rows import Row
from scaling.runs.rows_csv import read_csv, to_csv
from scaling.runs.spec import check
from scaling.runs.workdir import METRICS, PICTURES, ROW
from scaling.tasks import named

CSV, TABLE, PICTURE, PAGE = "rows.csv", "table.md", "scaling_curve.png", "report.html"


def read_study(sources: Sequence[Path]) -> Study:
    """The runs of all directories, each id once; a directory without runs may hold a `rows.csv`.

    A row that this version cannot interpret is a problem of the study, as a damaged one is.

    Raises:
      ValueError: where a directory does not exist, or none of them has a row.
    """
    rows: dict[str, Row] = {}
    directories: dict[str, Path] = {}
    problems: list[str] = []
    for source in sources:
        if not source.is_dir():
            raise ValueError(
                f"--workdir={source} is not a directory: name one that a sweep or a run has written."
            )
        found = store.scan(source)
        problems += found.bad.values()
        known, odd = _interpreted(found.rows.values(), source)
        problems += odd
        for run_id, row in known.items():
            rows.setdefault(run_id, row)
            inside = source / run_id
            directories.setdefault(run_id, inside if inside.is_dir() else source)
        if not found.rows and not found.bad and (source / CSV).exists():
            listed, bad = read_csv(source / CSV)
            known, odd = _interpreted(listed, source / CSV)
            rows = known | rows
            problems += bad + odd
    if not rows and not problems:
        raise ValueError(
            f"there is no finished run in {', '.join(map(str, sources))}: a run has a {ROW} once it ended."
        )
    return Study(tuple(rows[run_id] for run_id in sorted(rows)), directories, tuple(problems))


def _interpreted(rows: Iterable[Row], source: Path) -> tuple[dict[str, Row], list[str]]:
    """The rows by id whose specs this version understands, and a line for each other one."""
    known: dict[str, Row] = {}
    problems: list[str] = []
    checked: set[tuple[int, ...]] = set()  # rows share the sections that are equal (`recorded`)
    for row in rows:
        recipe = tuple(id(getattr(row.spec, section)) for section in SECTIONS)
        try:
            named(row.spec.task)
            if recipe not in checked:
                check(row.spec)
        except ValueError as error:
            problems.append(f"row {row.id} in {source} is not of this version: {error}")
            continue
        checked.add(recipe)
        known[row.id] = row
    return known, problems


def build(study: Study, out: Path, title: str) -> dict[str, Path]:
    """Write rows.csv, table.md, scaling_curve.png and report.html to `out`; return their paths by name."""
    paths = {name: out / name for name in (CSV, TABLE, PICTURE, PAGE)}
    out.mkdir(parents=True, exist_ok=True)
    curves = [
        learning.Learning(row, lines)
        for row in learning.choose(study)
        if (lines := learning.read(study.directories[row.id] / METRICS))
    ]
    write_atomically(paths[CSV], to_csv(study.rows))
    write_atomically(paths[TABLE], table.to_markdown(study, title))
    figure.save_curve(study, title, paths[PICTURE])
    write_atomically(paths[PAGE], page.to_html(study, curves, title, _sheets(study)))
    return paths


def _sheets(study: Study) -> dict[str, bytes]:
    """What runs answered, by their ids: of each size of a series the first seed's that left pictures."""
    chosen: dict[tuple[str, int], tuple[str, bytes]] = {}
    for name, series in study.series.items():
        for row in sorted(series.rows, key=lambda row: row.seed):
            directory, size = study.directories.get(row.id), (name, row.macs)
            if directory and size not in chosen and (directory / PICTURES).is_file():
                chosen[size] = row.id, (directory / PICTURES).read_bytes()
    return dict(chosen.values())
