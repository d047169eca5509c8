"""NAS-Bench-Macro (xiusu/NAS-Bench-Macro): 8 layers, each an identity or one of two MobileNetV2 blocks."""

from __future__ import annotations

from pathlib import Path

from search import automaton
from search.space import Space
from search.table import Table, benchmark_table

LAYERS = 8
CHOICES = ("identity", "mbconv3x3_expand3", "mbconv5x5_expand6")

SPACE = Space("nasbench_macro", automaton.product([len(CHOICES)] * LAYERS))


def load(directory: Path) -> Table:
    """Read `nasbench_macro.csv.gz`: CIFAR-10 test accuracies of three runs, `mean_acc`, `params`, `flops`."""
    return benchmark_table(directory / "nasbench_macro.csv.gz", SPACE)
