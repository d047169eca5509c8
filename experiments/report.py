"""Write table, picture and page again, from rows alone.

python -m experiments.report --workdir=runs/quickstart
python -m experiments.report --workdir=runs/a --workdir=runs/b --out=runs/both --title="A and B"
python -m experiments.report --workdir=runs/quickstart --serve

`--serve` shows the page at http://127.0.0.1:8000, to this machine alone. While it is open it asks every three
seconds whether runs have finished, and shows them.
"""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path

from experiments import cli
from scaling.reports.build import CSV, PAGE, PICTURE, TABLE, Study, build, read_study
from scaling.reports.serve import LOOPBACK, page_server, stamp
from scaling.runs.workdir import ROW

PORT = 8000


def main(argv: Sequence[str]) -> None:
    """Write the report and print where everything is, or show it until Ctrl-C."""
    arguments = parser("experiments.report", __doc__).parse_args(argv)
    write_or_serve(arguments, write, PAGE, ROW, f"*/{ROW}")


def write_or_serve(
    arguments: argparse.Namespace, write: Callable[[list[Path], Path, str], object], page: str, *files: str
) -> None:
    """Have `write` report directories, or show its `page`, made again where `files` have changed."""
    if arguments.port is not None and not arguments.serve:
        raise ValueError(f"--port={arguments.port} says where --serve shows the page: give --serve, too.")
    sources, out, title = told(arguments)
    if not arguments.serve:
        write(sources, out, title)
        return

    def make() -> str:
        write(sources, out, title)
        return (out / page).read_text()

    serve(make, lambda: stamp(sources, files), PORT if arguments.port is None else arguments.port)


def told(arguments: argparse.Namespace) -> tuple[list[Path], Path, str]:
    """What a command that reports directories is told: the directories, where to write, the heading."""
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


def serve(make: Callable[[], str], told: Callable[[], str], port: int) -> None:
    """Show what `make` gives on loopback until Ctrl-C; it is made again where its stamp is `told` anew."""
    with page_server(make, told, port) as server:
        print(f"page: http://{LOOPBACK}:{server.server_port} (Ctrl-C ends)", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()
    print("stopped")


def parser(prog: str, doc: str | None) -> argparse.ArgumentParser:
    """The arguments of a command that reports directories."""
    made = argparse.ArgumentParser(prog=prog, description=(doc or "").partition("\n")[0], allow_abbrev=False)
    made.add_argument(
        "--workdir", action="append", required=True, type=Path, metavar="DIR", help="may be repeated"
    )
    made.add_argument("--out", type=Path, metavar="DIR", help="where to write (default: the workdir)")
    made.add_argument("--title", help="heading (default: the name of the directory)")
    made.add_argument("--serve", action="store_true", help="show the page, built again as runs finish")
    made.add_argument("--port", type=int, metavar="N", help=f"of --serve (default: {PORT}; 0: any)")
    return made


if __name__ == "__main__":
    cli.run_command(main)
