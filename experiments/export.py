"""Trained weights for others: python -m experiments.export --run=DIR --to=net.stablehlo

The file's ending chooses the form: .stablehlo, .onnx or .safetensors. A program is run once, and deleted
where it does not give what the network gives. --card=FILE writes a model card from the run's row.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from experiments import cli
from experiments.predict import load_weights, name_weights
from scaling.border.files import write_atomically
from scaling.runs.workdir import written_row

SAFETENSORS = ".safetensors"


def main(argv: Sequence[str]) -> None:
    """Write the file, and the card."""
    arguments = _parser().parse_args(argv)
    if arguments.to is None and arguments.card is None:
        raise ValueError("nothing to write: give --to=FILE, --card=FILE or both.")
    if arguments.card and arguments.run is None:
        raise ValueError("a card is written from a run's row: give --run=DIR.")
    if arguments.to is not None:
        _write(arguments)
    if arguments.card is not None:
        from scaling.reports.card import to_card

        write_atomically(arguments.card, to_card(written_row(arguments.run)))
        print(f"card: {arguments.card}")


def _write(arguments: argparse.Namespace) -> None:
    import scaling
    from scaling.weights.exported import FORMATS

    path: Path = arguments.to
    if path.suffix not in (*FORMATS, SAFETENSORS):
        raise ValueError(f"--to={path} must end in one of {', '.join((*FORMATS, SAFETENSORS))}.")
    if path.exists():
        raise ValueError(f"--to={path} exists: delete it, or choose another name. Nothing was changed.")
    weights = load_weights(arguments)
    if path.suffix == SAFETENSORS:
        scaling.save(path, *weights)
        print(f"written: {path}")
        return
    try:
        distance = FORMATS[path.suffix](weights, path)
    except ImportError as error:
        raise ValueError(
            f"{path.suffix} needs packages of the extra 'export' ({error}): pip install -e '.[export]'."
        ) from error
    print(f"written: {path}; run here, it differs from the network by {distance:.1e} of its outputs' spread")


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="experiments.export", description=(__doc__ or "").partition("\n")[0], allow_abbrev=False
    )
    name_weights(made)
    made.add_argument("--to", type=Path, metavar="FILE", help="a new .stablehlo, .onnx or .safetensors file")
    made.add_argument("--card", type=Path, metavar="FILE", help="a model card in the hub's format (Markdown)")
    return made


if __name__ == "__main__":
    cli.run_command(main)
