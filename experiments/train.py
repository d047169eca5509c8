"""Train one network: `python -m experiments.train --config=configs/x.py --workdir=runs/x`.

Run it again to go on after an interruption. On several machines start it once on each, with
`--coordinator=HOST:PORT --process_id=I --process_count=N` and a work directory that all of them see. Where
one of them is gone, the others end with exit code 76; the same command, also with other numbers of processes
and devices, goes on from the last checkpoint.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence

from experiments import cli
from scaling.runs import leases


def main(argv: Sequence[str]) -> int:
    """Train as the command line says; return the exit code."""
    arguments, overrides = cli.parse(_parser(), argv)
    leases.watch()
    spec = cli.load_spec(arguments.config, overrides)
    _join(arguments)
    from scaling.reports.curve import scored
    from scaling.runs.rows import OK
    from scaling.training import Interrupted, peers, run
    from scaling.training.start import start

    start(devices=True)
    try:
        row = run(spec, arguments.workdir)
    except Interrupted as stopped:
        print(stopped, file=sys.stderr, flush=True)
        if stopped.at_once:
            os._exit(stopped.exit_code)  # a save that was cut off would fail aloud while the process ends
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # it has stopped: what ends now is not to be interrupted
        peers.part(arguments.workdir)
        return stopped.exit_code
    peers.part(arguments.workdir)
    print(f"{row.status}: {scored(row) or 'test score not measured'}; {arguments.workdir / 'row.json'}")
    return 0 if row.status == OK else 1


def _parser() -> argparse.ArgumentParser:
    parser = cli.parser(__doc__)
    parser.add_argument(
        "--coordinator", metavar="HOST:PORT", help="address of process 0, with several processes"
    )
    parser.add_argument("--process_id", type=int, metavar="I", help="which process this is, from 0")
    parser.add_argument("--process_count", type=int, metavar="N", help="how many processes train together")
    return parser


def _join(arguments: argparse.Namespace) -> None:
    """Connect to the other processes, where there are any, before devices are touched."""
    told = (arguments.coordinator, arguments.process_id, arguments.process_count)
    if all(value is None for value in told):
        return
    if any(value is None for value in told):
        raise ValueError(
            "--coordinator, --process_id and --process_count go together: give all three or none."
        )
    import jax

    jax.config.update("jax_enable_recoverability", True)  # a peer's end is ours to tell (`training/peers.py`)
    jax.distributed.initialize(*(told[0], told[2], told[1]))


if __name__ == "__main__":
    cli.run_command(main)
