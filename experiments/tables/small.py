"""Rows of papers that two CPU cores train: LeNet-5 on MNIST, cells of NAS-Bench-201 for 12 epochs."""

from __future__ import annotations

from experiments import cli
from experiments.tables.entry import PARAMS, Entry, Table, counted, trained
from experiments.tables.wanted import MOVED, NOT_MOVED
from scaling import zoo

LENET = "LeCun et al., Proceedings of the IEEE 86, 1998, section III.B and Figure 9"
LENET_COUNT = "LeCun et al. 1998, section II.B: 60,000 trainable parameters"
LENET_ROWS = (
    ("LeNet-5", "lenet5", "0.95", NOT_MOVED),
    ("LeNet-5, distortions", "lenet5", "0.8", MOVED),
    ("LeNet-5 of 1998", "lenet5_1998", "0.95", NOT_MOVED),
    ("LeNet-5 of 1998, distortions", "lenet5_1998", "0.8", MOVED),
)
LENET_NOTE = (
    "Twice the paper's network: in the form that is built today, and layer by layer as the paper has it. Both are distorted "
    "by moves of up to 2 pixels: `configs/mnist_lenet5.py` says all that differs in training."
)


def lenet5() -> Table:
    """LeNet-5 on MNIST, without and with distorted training images."""
    modern, original = zoo.get("lenet5"), zoo.get("lenet5_1998")
    entries = [counted("LeNet-5", PARAMS, "", modern, "counted; the paper's network is not just this one")]
    entries.append(counted("LeNet-5 of 1998", PARAMS, "0.060", original, LENET_COUNT))
    for row, name, error, where in LENET_ROWS:
        arch = zoo.get(name)
        entries.append(trained(row, "MNIST test error (%)", error, arch, "mnist", LENET, where=(where,)))
    return Table("LeNet-5 on MNIST", tuple(entries), LENET_NOTE)


BENCHMARK = "arXiv 2001.00326, c10_val_12 of its table"
CELLS_NOTE = (
    "One seed of ours beside the mean of the table's seeds, after 12 epochs of training on half of the training images: "
    "the signal of the searches in `nasbench201`, trained again here."
)


def nasbench201_cells() -> Table:
    """Twelve cells of NAS-Bench-201 over the range of its table, validation after 12 epochs."""
    entries: list[Entry] = []
    for digits, accuracy in cli.read_module("configs/cifar10_nasbench201.py").CELLS.items():
        arch = zoo.get(f"nasbench201-{digits}")
        column = "CIFAR-10 validation, 12 epochs (%)"
        entries.append(trained(digits, column, f"{accuracy:.2f}", arch, "cifar10", BENCHMARK))
    return Table("NAS-Bench-201: twelve cells trained again", tuple(entries), CELLS_NOTE)
