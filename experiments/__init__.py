"""The commands: `python -m experiments.NAME --config=configs/x.py --workdir=DIR`."""

import sys


def _without_trace(kind, error, trace) -> None:
    """End quietly by Ctrl-C, also while a command still imports, which takes seconds."""
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)


sys.excepthook = _without_trace
