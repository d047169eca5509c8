"""Ours against peers on the machine at hand, measured in alternation: `python -m experiments.benchmarks`."""
