"""RegNetX and RegNetY, arXiv 2003.13678, by the integers of their authors' repository."""

from __future__ import annotations

from experiments.tables.entry import Figure, Table, counted, trained
from scaling import zoo

SOURCE = "facebookresearch/pycls dev/model_complexity.json, dev/model_error.json"
FIGURES = (
    Figure("params", lambda cost: cost.params),
    Figure("MACs", lambda cost: cost.macs),
    Figure("activations", lambda cost: cost.activations),
)

# model, our name, parameters, multiply-adds, activations, top-1 error after 100 epochs (mean of five runs)
ROWS = (
    ("RegNetX-200MF", "regnetx_002", "2684792", "199040872", "2164056", "31.088"),
    ("RegNetX-400MF", "regnetx_004", "5157512", "397678568", "3143272", "27.382"),
    ("RegNetX-600MF", "regnetx_006", "6196040", "600891112", "3975096", "25.864"),
    ("RegNetX-800MF", "regnetx_008", "7259656", "799700712", "5148744", "24.846"),
    ("RegNetX-1.6GF", "regnetx_016", "9190136", "1602850792", "7933512", "23.038"),
    ("RegNetX-3.2GF", "regnetx_032", "15296552", "3176622952", "11367432", "21.736"),
    ("RegNetX-4.0GF", "regnetx_040", "22118248", "3964499816", "12201608", "21.356"),
    ("RegNetX-6.4GF", "regnetx_064", "26209256", "6460292264", "16369744", "20.844"),
    ("RegNetX-8.0GF", "regnetx_080", "39572648", "7995133416", "14059688", "20.728"),
    ("RegNetX-12GF", "regnetx_120", "46106056", "12086679016", "21366568", "20.288"),
    ("RegNetX-16GF", "regnetx_160", "54278536", "15940756456", "25515496", "19.956"),
    ("RegNetX-32GF", "regnetx_320", "107811560", "31735930792", "36302160", "19.498"),
    ("RegNetY-200MF", "regnety_002", "3162996", "199519076", "2168052", "29.658"),
    ("RegNetY-400MF", "regnety_004", "4344144", "401849056", "3892496", "25.898"),
    ("RegNetY-600MF", "regnety_006", "6055160", "601227608", "4334296", "24.54"),
    ("RegNetY-800MF", "regnety_008", "6263168", "797183328", "5249888", "23.684"),
    ("RegNetY-1.6GF", "regnety_016", "11202430", "1612087326", "8044814", "22.066"),
    ("RegNetY-3.2GF", "regnety_032", "19436338", "3176496162", "11263418", "21.074"),
    ("RegNetY-4.0GF", "regnety_040", "20646656", "3973301344", "12287200", "20.64"),
    ("RegNetY-6.4GF", "regnety_064", "30583252", "6355221876", "16407188", "20.11"),
    ("RegNetY-8.0GF", "regnety_080", "39180068", "7963074196", "17968916", "20.052"),
    ("RegNetY-12GF", "regnety_120", "51822544", "12092395504", "21384496", "19.67"),
    ("RegNetY-16GF", "regnety_160", "83590140", "15911534044", "23041228", "19.608"),
    ("RegNetY-32GF", "regnety_320", "145046770", "32279583362", "30261570", "19.066"),
)


def regnet() -> Table:
    """RegNetX and RegNetY: exact integers."""
    entries = []
    for model, name, *integers, error in ROWS:
        arch = zoo.get(name)
        for figure, printed in zip(FIGURES, integers, strict=True):
            entries.append(counted(model, figure, printed, arch, SOURCE))
        entries.append(trained(model, "top-1 error (%)", error, arch, "imagenet2012", SOURCE))
    return Table("RegNetX and RegNetY", tuple(entries))
