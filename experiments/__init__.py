"""The commands: `python -m experiments.NAME --config=configs/x.py --workdir=DIR`."""
