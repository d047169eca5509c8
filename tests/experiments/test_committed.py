"""Every committed study is read back, and its tables are made again byte for byte from its rows.csv."""

import json
import shutil

import pytest

from experiments import cli, compress, laws, pipeline, report
from experiments.benchmarks.__main__ import write_table
from experiments.coefficients import CSV as GRID_CSV
from experiments.coefficients import MARKDOWN, GridPlan
from experiments.tables import committed
from scaling.reports import coefficients, law_tables, table
from scaling.reports.build import CSV, TABLE, read_study
from scaling.reports.grid import grids_of
from scaling.runs.rows_csv import to_csv

RESULTS = committed.RESULTS
STUDIES = [path.parent for path in sorted(RESULTS.rglob(CSV))]
# What stands beside a rows.csv, made of its study and the name of its directory
MADE = {
    CSV: lambda study, name: to_csv(study.rows),
    TABLE: table.to_markdown,
    MARKDOWN: lambda study, name: coefficients.to_markdown(grids_of(study), name, GridPlan().eta),
    GRID_CSV: lambda study, name: coefficients.to_csv(grids_of(study)),
    laws.MARKDOWN: lambda study, name: law_tables.to_markdown(
        law_tables.curves(study, "macs"), "macs", largest=1
    ),
}


@pytest.mark.parametrize("directory", STUDIES, ids=lambda path: str(path.relative_to(RESULTS)))
def test_a_committed_study_is_made_again_from_its_rows(directory):
    study = read_study([directory])
    assert study.rows and not study.problems
    for path in sorted(directory.iterdir()):
        if path.suffix in (".md", ".csv"):
            assert MADE[path.name](study, directory.name).encode() == path.read_bytes(), path


def test_the_summary_of_the_pipeline_is_made_again():
    spec = pipeline.PipelineSpec.from_config(cli.read_config("configs/pipeline.py"))
    directory = RESULTS / "pipeline"
    assert pipeline.summary(spec, directory) == (directory / pipeline.SUMMARY).read_text()


def test_the_table_of_a_compression_is_made_again():
    directory = RESULTS / "cifar10_squeezenet" / "compressed"
    told = json.loads((directory / "compression.json").read_text())
    assert compress.to_markdown(told) == (directory / "compression.md").read_text()


def test_the_table_of_benchmarks_is_made_again(tmp_path):
    directory = RESULTS / "benchmarks"
    for rows in directory.glob("*.jsonl"):
        shutil.copy(rows, tmp_path)
    assert write_table(tmp_path) == (directory / "table.md").read_text()


def test_the_command_needs_rows_csv_alone(tmp_path):
    directory = tmp_path / "photos"
    directory.mkdir()
    shutil.copy(RESULTS / "photos" / CSV, directory)
    report.main([f"--workdir={directory}"])
    for name in (CSV, TABLE):
        assert (directory / name).read_bytes() == (RESULTS / "photos" / name).read_bytes()


def test_a_damaged_committed_row_stops_every_table_and_is_named(tmp_path):
    (tmp_path / "study").mkdir()
    text = (RESULTS / "photos" / CSV).read_text()
    (tmp_path / "study" / CSV).write_text(text.replace(",ok,", ",fine,", 1))
    with pytest.raises(ValueError, match=r"line 2 of .*rows\.csv.*'fine'"):
        committed.study("study", tmp_path)
