"""Rank correlations of zero-cost scores with accuracy: ours, others of the same cells, published ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from experiments.tables.searches import markdown, row

THEIRS = {"jacob_cov": "jacov", "naswot": "nwot", "macs": "flops"}  # the file's names, where others
SAMSUNG = "SamsungLabs/zero-cost-nas, notebooks/nasbench201_correlations.ipynb (arXiv 2101.08134)"
PUBLISHED = {"grad_norm": 0.594, "snip": 0.596, "synflow": 0.737, "jacob_cov": 0.731}
ORDER = ("params", "macs", "grad_norm", "snip", "synflow", "jacob_cov", "naswot")
NOTE = """Spearman's rho between the score of an untrained network and its validation accuracy after training, over the same
{cells} cells of the {known} of NAS-Bench-201 in `zero_cost_subset.csv.gz` on CIFAR-10 for "ours" and "NASLib's scores" (where NASLib has a score). Published: all 15,625 cells; source: {source}. Ours: {batch} training images, seed {seed}, the
benchmark's network (16 filters, 5 cells, 32 px), kernels from PyTorch's law (uniform within 1 / sqrt(fan_in)), all
cells by one compiled program. Median {seconds:.1f} s a cell on 2 CPU cores that did much other work.
Parameters and multiply-adds are what a score must beat to be worth its batch."""
HEADINGS = ("score", "ours", "NASLib's scores", "published", "ours - published")


def table(known: Sequence[Mapping[str, str]], scored: Sequence[Mapping[str, str]]) -> str:
    """The correlations of all scores, of one batch and seed, as Markdown."""
    by_cell = {line["arch"]: line for line in scored}
    lines = [line for line in known if line["arch"] in by_cell]
    accuracy = [float(line["val_accuracy"]) for line in lines]
    seconds = float(np.median([float(line["seconds"]) for line in scored]))
    batch, seed = scored[0]["batch"], scored[0]["seed"]
    note = NOTE.format(
        cells=len(lines), known=len(known), source=SAMSUNG, batch=batch, seed=seed, seconds=seconds
    )
    text = ["# Zero-cost scores on NAS-Bench-201", "", note, "", *markdown(HEADINGS)]
    for name in ORDER:
        ours = spearman([float(by_cell[line["arch"]][name]) for line in lines], accuracy)
        column = THEIRS.get(name, name)
        pairs = [(float(x[column]), a) for x, a in zip(lines, accuracy) if x.get(column)]
        theirs = f"{spearman(*zip(*pairs)):.3f}" if pairs else ""
        published = PUBLISHED.get(name)
        beside = ("", "") if published is None else (f"{published:.3f}", f"{ours - published:+.3f}")
        text.append(row(name, f"{ours:.3f}", theirs, *beside))
    return "\n".join([*text, ""])


def spearman(one: Sequence[float], two: Sequence[float]) -> float:
    """Spearman's rank correlation, equal values at their mean rank."""
    return float(np.corrcoef(_ranks(one), _ranks(two))[0, 1])


def _ranks(values: Sequence[float]) -> np.ndarray:
    _, inverse, counts = np.unique(np.asarray(values), return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[inverse]
