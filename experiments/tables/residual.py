"""Residual networks: CIFAR ResNet Table 6, WRN Tables 4 and 5, ResNeXt Table 7, ResNet-RS."""

from __future__ import annotations

from experiments.tables.entry import GIGA_FLOPS, PARAMS, PARAMS_AND_STATISTICS, Entry, Table, counted, trained
from scaling import zoo

RESNET = "arXiv 1512.03385 Table 6"
# depth, params (M), test error on CIFAR-10
CIFAR_TABLE_6 = (
    (20, "0.27", "8.75"),
    (32, "0.46", "7.51"),
    (44, "0.66", "7.17"),
    (56, "0.85", "6.97"),
    (110, "1.7", "6.43"),
    (1202, "19.4", "7.93"),
)


def cifar_table_6() -> Table:
    """CIFAR-10 ResNets with the parameter-free shortcut (option A)."""
    entries = []
    for depth, params, error in CIFAR_TABLE_6:
        row, arch = f"ResNet-{depth}", zoo.get(f"cifar_resnet{depth}")
        entries.append(counted(row, PARAMS, params, arch, RESNET))
        entries.append(trained(row, "CIFAR-10 test error (%)", error, arch, "cifar10", RESNET))
    return Table("CIFAR ResNet Table 6", tuple(entries))


RESNEXT = "arXiv 1611.05431 Table 7, as quoted by prlz77/ResNeXt.pytorch README.md"
WRN_4, WRN_5 = "arXiv 1605.07146 Table 4", "arXiv 1605.07146 Table 5"
# model, our name, params (M), test error on CIFAR-10 and CIFAR-100 ("": not printed)
WRN_TABLE_4 = (
    ("WRN-40-1", "wrn_40_1", "0.6", "6.85", "30.89"),
    ("WRN-40-2", "wrn_40_2", "2.2", "5.33", "26.04"),
    ("WRN-40-4", "wrn_40_4", "8.9", "4.97", "22.89"),
    ("WRN-40-8", "wrn_40_8", "35.7", "4.66", ""),
    ("WRN-28-10", "wrn_28_10", "36.5", "4.17", "20.50"),
    ("WRN-28-12", "wrn_28_12", "52.5", "4.33", "20.43"),
    ("WRN-22-8", "wrn_22_8", "17.2", "4.38", "21.22"),
    ("WRN-22-10", "wrn_22_10", "26.8", "4.44", "20.75"),
    ("WRN-16-8", "wrn_16_8", "11.0", "4.81", "22.07"),
    ("WRN-16-10", "wrn_16_10", "17.1", "4.56", "21.59"),
)
WRN_TABLE_5 = (
    ("original-ResNet-110", "cifar_resnet110", "1.7", "6.43", "25.16"),
    ("original-ResNet-1202", "cifar_resnet1202", "10.2", "7.93", "27.82"),
    ("stoc-depth-110", "cifar_resnet110", "1.7", "5.23", "24.58"),
    ("stoc-depth-1202", "cifar_resnet1202", "10.2", "4.91", ""),
    ("pre-act-ResNet-110", "preact_resnet110", "1.7", "6.37", ""),
    ("pre-act-ResNet-164", "preact_resnet164", "1.7", "5.46", "24.33"),
    ("pre-act-ResNet-1001", "preact_resnet1001", "10.2", "4.92", "22.71"),
    ("WRN-40-4", "wrn_40_4", "8.9", "4.53", "21.18"),
    ("WRN-16-8", "wrn_16_8", "11.0", "4.27", "20.43"),
    ("WRN-28-10", "wrn_28_10", "36.5", "4.00", "19.25"),
)
OTHER_1202 = "by count, and in its own paper (arXiv 1512.03385 Table 6), 19.4: 10.2 belongs to the network of 1001 layers"
# Stochastic depth's rows are of the same networks, trained with blocks dropped
DROPPED, NOT_DROPPED = ("model.drop_path_rate", (0.5,)), ("model.drop_path_rate", (None, 0.0))
REASONS = {
    ("original-ResNet-1202", WRN_5): OTHER_1202,
    ("stoc-depth-1202", WRN_5): OTHER_1202,
    ("pre-act-ResNet-1001", WRN_5): "the count is 10.33; the printed figure is 1.2 % less, not explained",
    ("ResNeXt-29 16x64d", RESNEXT): "the count is 68.155: rounded down",
}


def wrn_table_4() -> Table:
    """Wide residual networks; inputs whitened, which ours would not be."""
    note = "Trained by the paper on ZCA-whitened images: not comparable with Table 5."
    return Table("WRN Table 4: depth and width", _cifar(WRN_TABLE_4, WRN_4), note)


def wrn_table_5() -> Table:
    """Wide residual networks and their peers; median of five runs, inputs normalised by mean and std."""
    return Table("WRN Table 5: peers", _cifar(WRN_TABLE_5, WRN_5))


RESNEXT_TABLE_7 = (
    ("ResNeXt-29 8x64d", "resnext29_8x64d", "34.4", "3.65", "17.77"),
    ("ResNeXt-29 16x64d", "resnext29_16x64d", "68.1", "3.58", "17.31"),
)


def resnext_table_7() -> Table:
    """ResNeXt-29 on CIFAR."""
    return Table("ResNeXt Table 7: CIFAR", _cifar(RESNEXT_TABLE_7, RESNEXT))


def _cifar(rows: tuple, source: str) -> tuple[Entry, ...]:
    """Parameters with 10 classes, errors with 10 and 100."""
    entries = []
    for model, name, params, error_10, error_100 in rows:
        arch, reason = zoo.get(name), REASONS.get((model, source), "")
        entries.append(counted(model, PARAMS, params, arch, source, reason))
        for classes, error in ((10, error_10), (100, error_100)):
            if error:
                column, classified = f"CIFAR-{classes} test error (%)", arch.replace(num_classes=classes)
                where = (DROPPED if "stoc-depth" in model else NOT_DROPPED,)
                entries.append(
                    trained(model, column, error, classified, f"cifar{classes}", source, where=where)
                )
    return tuple(entries)


RS_README = "tensorflow/tpu models/official/resnet/resnet_rs/README.md"
RS_PAPER = "arXiv 2103.07579 Table 3, as quoted in a third-party summary"
# depth, resolution, params (M), top-1
RS_ROWS = (
    (50, 160, "35.7", "78.8"),
    (101, 160, "63.7", "80.3"),
    (101, 192, "63.7", "81.2"),
    (152, 192, "86.8", "82.0"),
    (152, 224, "86.8", "82.2"),
    (152, 256, "86.8", "83.0"),
    (200, 256, "93.4", "83.4"),
    (270, 256, "130.1", "83.8"),
    (350, 256, "164.3", "84.0"),
    (350, 320, "164.3", "84.2"),
    (420, 320, "", "84.4"),
)
# model, our name, resolution, params (M), FLOPs counted as two a multiply-add (G), top-1
RS_TABLE_3 = (
    ("ResNet-RS-350", "resnetrs350", 256, "164", "69", "84.0"),
    ("EfficientNet-B6", "efficientnet_b6", 528, "43", "38", "84.0"),
    ("ResNet-RS-420", "resnetrs420", 320, "192", "128", "84.4"),
    ("EfficientNet-B7", "efficientnet_b7", 600, "66", "74", "84.7"),
)
RS_REASONS = {"EfficientNet-B7": "twice the 37 G that EfficientNet's own table prints; the count is 37.75 G"}
RS_NOTE = "The repository counts running statistics as parameters, the paper two FLOPs a multiply-add."


def resnet_rs() -> Table:
    """ResNet-RS: the repository's list and the paper's comparison with EfficientNet."""
    entries = []
    for depth, side, params, top1 in RS_ROWS:
        row, arch = f"ResNet-RS-{depth} {side} px", zoo.get(f"resnetrs{depth}").replace(resolution=side)
        if params:
            entries.append(counted(row, PARAMS_AND_STATISTICS, params, arch, RS_README))
        entries.append(trained(row, "top-1 (%)", top1, arch, "imagenet2012", RS_README))
    for row, name, side, params, flops, top1 in RS_TABLE_3:
        arch = zoo.get(name).replace(resolution=side)
        entries.append(counted(row, PARAMS, params, arch, RS_PAPER))
        entries.append(counted(row, GIGA_FLOPS, flops, arch, RS_PAPER, RS_REASONS.get(row, "")))
        entries.append(trained(row, "top-1 (%)", top1, arch, "imagenet2012", RS_PAPER))
    return Table("ResNet-RS", tuple(entries), RS_NOTE)
