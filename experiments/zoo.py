"""Print all networks in tables, with their size as counted here and as published.

python -m experiments.zoo [--to=FILE]

docs/zoo.md is what it writes with --to=docs/zoo.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from experiments import cli
from experiments.tables.published import Size, agrees, sizes
from scaling import zoo
from scaling.arch.arch import Arch
from scaling.border.files import write_atomically
from scaling.cost.closed_form import totals
from scaling.cost.counting import count

INTRODUCTION = """# The zoo

{names} networks in {families} families, each a value that `scaling.get(NAME)` returns and rules scale.
This page is written by `python -m experiments.zoo --to=docs/zoo.md`; the tests compare it with the code.

Parameters are trainable ones. Multiply-adds (MACs) are those of products and bias additions in evaluation
mode, at the input side in the column *side*. *Published* are the figures of a library, with its digits; its
counter's convention is applied before comparing:

- torchvision: products alone, without bias additions;
- pycls: products and bias additions, as here;
- timm: products, two for each value that batch norm reads, five for layer norm, one for each value that the
  last pooling reads (fvcore's counter).

Tables of papers, row by row with the reason where a figure differs: `python -m experiments.reproduce --list`.
"""
HEADER = "| name | side | params | MACs | published: params M, MACs G | as counted here | source |"
RULE = "| --- | ---: | ---: | ---: | --- | --- | --- |"


def main(argv: Sequence[str]) -> None:
    """Print the page, or write it."""
    parser = argparse.ArgumentParser(
        prog="experiments.zoo", description=(__doc__ or "").partition("\n")[0], allow_abbrev=False
    )
    parser.add_argument("--to", type=Path, metavar="FILE", help="where to write (default: printed)")
    args = parser.parse_args(argv)
    if args.to is None:
        print(page(), end="")
        return
    write_atomically(args.to, page())
    print(f"{args.to}: {len(listed())} networks")


def listed() -> dict[str, Arch]:
    """All networks by name, those that classify first."""
    return {**zoo.ZOO, **zoo.DENSE}


def page() -> str:
    """The whole page in Markdown."""
    families = list(dict.fromkeys(arch.family for arch in listed().values()))
    return "\n".join(
        [INTRODUCTION.format(names=len(listed()), families=len(families)), *map(section, families)]
    )


def section(family: str) -> str:
    """The heading and the table of one family."""
    lines = [line for name in zoo.names(family) for line in lines_of(name)]
    return "\n".join([f"## {family}", "", HEADER, RULE, *lines, ""])


def lines_of(name: str) -> list[str]:
    """A network's row, with one line more for each further published size."""
    arch, printed = zoo.get(name), [size for size in sizes() if size.name == name]
    cost = totals(arch) or count(arch)  # tests hold them equal, and arithmetic takes no time
    own = f"| `{name}` | {arch.resolution} | {cost.params:,} | {cost.macs:,} |"
    if not printed:
        return [f"{own} | | {arch.source} |"]
    first, *more = [f" {_published(arch, size)} | {_counted(size)} | {size.source} |" for size in printed]
    return [own + first, *("| | | | |" + line for line in more)]


def _published(arch: Arch, size: Size) -> str:
    side = "" if size.resolution == arch.resolution else f" at {size.resolution} px"
    return ", ".join(filter(None, (size.params, size.macs))) + side


def _counted(size: Size) -> str:
    return "equal" if agrees(size) else f"{', '.join(filter(None, size.ours()))}: {size.note}"


if __name__ == "__main__":
    cli.run_command(main)
