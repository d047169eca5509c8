"""What a classifier gets right and wrong: intervals, classes, confusions, calibration, the worst images."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scaling.laws.power import LEVEL
from scaling.laws.proportion import wilson
from scaling.reports.markdown import table_line, verbatim
from scaling.reports.units import MISSING, percent
from scaling.tasks.intervals import MARGIN

BINS = 15  # of confidence, as in arXiv 1706.04599
CONFUSIONS = 20  # pairs of classes that the table names
DRAWN_CLASSES = 40  # more are drawn without names


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Probabilities float32[n, classes] that a classifier gave, and the labels int32[n] that are true."""

    shares_nk: np.ndarray
    labels_n: np.ndarray
    class_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels_n)

    @functools.cached_property
    def order_nk(self) -> np.ndarray:
        """Classes of each image, likeliest first; of equal ones the lower index."""
        return np.argsort(-self.shares_nk, axis=1, kind="stable")

    @functools.cached_property
    def own_n(self) -> np.ndarray:
        """The probability of each image's true class."""
        return np.take_along_axis(self.shares_nk, self.labels_n[:, None], 1)[:, 0]

    @functools.cached_property
    def confusion(self) -> np.ndarray:
        """How many images of [truth, prediction]."""
        classes = len(self.class_names)
        pairs = self.labels_n.astype(np.int64) * classes + self.order_nk[:, 0]
        return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)

    def accuracy(self, k: int = 1) -> float:
        """The share of images whose class is among the k likeliest."""
        return float(np.mean(np.any(self.order_nk[:, :k] == self.labels_n[:, None], 1)))

    @property
    def calibration_error(self) -> float:
        """How far confidence is from accuracy: the mean over `BINS` equal bins, weighted by their images.

        Source: arXiv 1706.04599, equation 3."""
        confidence = np.take_along_axis(self.shares_nk, self.order_nk[:, :1], 1)[:, 0]
        right = self.order_nk[:, 0] == self.labels_n
        bins = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
        gaps = np.bincount(bins, right - confidence.astype(np.float64), BINS)
        return float(np.abs(gaps).sum() / len(self))

    @property
    def loss(self) -> float:
        """The mean negative log probability of the true class, in nats."""
        return float(-np.log(np.maximum(self.own_n.astype(np.float64), 1e-30)).mean())

    def worst(self, count: int) -> np.ndarray:
        """Indices of the wrong images whose true class was given least, worst first."""
        wrong = np.flatnonzero(self.order_nk[:, 0] != self.labels_n)
        return wrong[np.argsort(self.own_n[wrong], kind="stable")][:count]


def to_markdown(found: Evaluation, title: str) -> str:
    """The evaluation as Markdown."""
    lines = [f"# {title}", "", "| metric | value | interval |", "| --- | ---: | ---: |"]
    for k in sorted({1, min(5, len(found.class_names))}):
        low, high = wilson(found.accuracy(k), len(found))
        lines.append(f"| top-{k} (%) | {percent(found.accuracy(k))} | {percent(low)} to {percent(high)} |")
    lines += [
        f"| loss (nats) | {found.loss:.4f} | {MISSING} |",
        f"| calibration error (%) | {percent(found.calibration_error)} | {MISSING} |",
        "",
        f"{len(found)} images; {LEVEL:.0%} intervals (Wilson). The calibration error is the mean distance of",
        f"confidence and accuracy over {BINS} bins.",
        "",
        "## Classes",
        "",
        "| class | images | found (%) | interval | right when named (%) |",
        "| --- | ---: | ---: | ---: | ---: |",
        *_classes(found),
        "",
        "## Confusions",
        "",
        *_confusions(found),
    ]
    return "\n".join(lines) + "\n"


def scores_to_markdown(scores: Mapping[str, float], examples: int, title: str) -> str:
    """The metrics of any task as Markdown, each beside half of its interval where it has one."""
    lines = [f"# {title}", "", "| metric | value | ± |", "| --- | ---: | ---: |"]
    for name, value in scores.items():
        if not name.endswith(MARGIN):
            margin = scores.get(name + MARGIN)
            lines.append(f"| {name} | {value:.4f} | {MISSING if margin is None else f'{margin:.4f}'} |")
    lines += ["", f"{examples} images; ± is half of the {LEVEL:.0%} interval over images (jackknife)."]
    return "\n".join(lines) + "\n"


def _classes(found: Evaluation) -> list[str]:
    right, truth, named = np.diag(found.confusion), found.confusion.sum(1), found.confusion.sum(0)
    lines = []
    for i, name in enumerate(found.class_names):
        recall = int(right[i]) / int(truth[i]) if truth[i] else None
        between = MISSING if recall is None else " to ".join(map(percent, wilson(recall, int(truth[i]))))
        precision = percent(int(right[i]) / int(named[i])) if named[i] else MISSING
        lines.append(table_line((name, truth[i], percent(recall), between, precision)))
    return lines


def _confusions(found: Evaluation) -> list[str]:
    """The pairs of classes that are taken for each other most often."""
    wrong = found.confusion - np.diag(np.diag(found.confusion))
    order = np.argsort(-wrong, axis=None, kind="stable")[:CONFUSIONS]
    pairs = [divmod(int(place), len(found.class_names)) for place in order if wrong.flat[place]]
    if not pairs:
        return ["None: every image is right."]
    names = found.class_names
    lines = [table_line((names[i], names[j], wrong[i, j])) for i, j in pairs]
    return ["| truth | taken for | images |", "| --- | --- | ---: |", *lines]


def confusion_figure(found: Evaluation) -> Any:
    """The confusion matrix as a picture, rows in percent of their class."""
    from matplotlib.figure import Figure

    counts = found.confusion
    shares = 100 * counts / np.maximum(counts.sum(1, keepdims=True), 1)
    side = min(12.0, 3.5 + 0.3 * len(counts))
    figure = Figure(figsize=(side + 1, side), dpi=120, layout="constrained")
    axes: Any = figure.add_subplot()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=100)
    figure.colorbar(image, label="% of the class", shrink=0.8)
    axes.set_xlabel("predicted")
    axes.set_ylabel("truth")
    if len(counts) <= DRAWN_CLASSES:
        names = [*map(verbatim, found.class_names)]
        axes.set_xticks(range(len(counts)), names, rotation=90)
        axes.set_yticks(range(len(counts)), names)
    return figure


def contact_sheet(
    images: Sequence[np.ndarray], captions: Sequence[str], title: str, columns: int = 5, inches: float = 2.0
) -> Any:
    """Images uint8[H, W, C] in rows of `columns`, each under its caption."""
    from matplotlib.figure import Figure

    rows = max(1, -(-len(images) // columns))
    figure = Figure(figsize=(inches * columns, (inches + 0.6) * rows + 0.4), dpi=120, layout="constrained")
    figure.suptitle(verbatim(title), fontsize=11)
    for i, (image, caption) in enumerate(zip(images, captions)):
        axes: Any = figure.add_subplot(rows, columns, i + 1)
        axes.imshow(image.squeeze(), cmap="gray" if image.shape[-1] == 1 else None)
        axes.set_title(verbatim(caption), fontsize=8)
        axes.axis("off")
    return figure
