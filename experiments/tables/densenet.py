"""DenseNet, arXiv 1608.06993: Table 2 (CIFAR) and Table 3 (ImageNet)."""

from __future__ import annotations

from experiments.tables.entry import PARAMS, Table, counted, trained
from experiments.tables.wanted import MOVED, NOT_MOVED
from scaling import zoo

TABLE_2_SOURCE = "arXiv 1608.06993 Table 2, as in liuzhuang13/DenseNet README.md"
TABLE_3_SOURCE = "arXiv 1608.06993 Table 3"
COLUMNS = ("CIFAR-10", "CIFAR-10+", "CIFAR-100", "CIFAR-100+")

# model, our name, params (M), test error on CIFAR-10, 10 augmented, 100, 100 augmented ("": not printed)
TABLE_2 = (
    ("DenseNet (L=40, k=12)", "densenet_40_12", "1.0", ("7.00", "5.24", "27.55", "24.42")),
    ("DenseNet (L=100, k=12)", "densenet_100_12", "7.0", ("5.77", "4.10", "23.79", "20.20")),
    ("DenseNet (L=100, k=24)", "densenet_100_24", "27.2", ("5.83", "3.74", "23.42", "19.25")),
    ("DenseNet-BC (L=100, k=12)", "densenet_bc_100_12", "0.8", ("5.92", "4.51", "24.15", "22.27")),
    ("DenseNet-BC (L=250, k=24)", "densenet_bc_250_24", "15.3", ("5.19", "3.62", "19.64", "17.60")),
    ("DenseNet-BC (L=190, k=40)", "densenet_bc_190_40", "25.6", ("", "3.46", "", "17.18")),
)
REASONS: dict[str, str] = {}

# model, our name, top-1 and top-5 error of one crop
TABLE_3 = (
    ("DenseNet-121", "densenet121", "25.02", "7.71"),
    ("DenseNet-169", "densenet169", "23.80", "6.85"),
    ("DenseNet-201", "densenet201", "22.58", "6.34"),
    ("DenseNet-264", "densenet264", "22.15", "6.12"),
)


def table_2() -> Table:
    """CIFAR; "+" is with crops and flips. Parameters are those with 10 classes."""
    entries = []
    for model, name, params, errors in TABLE_2:
        arch = zoo.get(name)
        entries.append(counted(model, PARAMS, params, arch, TABLE_2_SOURCE, REASONS.get(model, "")))
        for column, error in zip(COLUMNS, errors, strict=True):
            if error:
                classes = 100 if "100" in column else 10
                classified, dataset = arch.replace(num_classes=classes), f"cifar{classes}"
                where = (MOVED if "+" in column else NOT_MOVED,)
                headline = f"{column} test error (%)"
                entries.append(
                    trained(model, headline, error, classified, dataset, TABLE_2_SOURCE, where=where)
                )
    return Table("DenseNet Table 2: CIFAR", tuple(entries))


def table_3() -> Table:
    """ImageNet, single crop; the paper prints errors only, so counts are ours alone."""
    entries = []
    for model, name, top1, top5 in TABLE_3:
        arch = zoo.get(name)
        entries.append(counted(model, PARAMS, "", arch, "counted; the table prints none"))
        for column, error in (("top-1 error (%)", top1), ("top-5 error (%)", top5)):
            entries.append(trained(model, column, error, arch, "imagenet2012", TABLE_3_SOURCE))
    return Table("DenseNet Table 3: ImageNet", tuple(entries))
