"""The coefficient grid as a heat map: alpha against beta, the colour is accuracy, gamma follows."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np

from scaling.reports.coefficients import ranking
from scaling.reports.figure import INK, MUTED
from scaling.reports.grid import CoefficientGrid
from scaling.reports.markdown import verbatim

SHADES = ("#eef3f8", "#8db4d6", "#2563a8", "#173a63")  # light to dark, hue of the first curve
BEST = "#d9622b"
DARK = 0.4  # of the range: from here on, text on a cell is white


def save_heat_map(grid: CoefficientGrid, title: str, path: Path) -> None:
    """Draw one cell for each (alpha, beta): mean validation accuracy, its interval and gamma; write a PNG.

    Where several gammas share a cell it shows the best of them. Rows and columns are the values of the grid
    and are not to scale.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.figure import Figure

    cells, alphas, betas = _cells(grid)
    ranked = ranking(grid)
    values = np.full((len(alphas), len(betas)), np.nan)
    for (row, column), i in cells.items():
        values[row, column] = 100 * ranked.means[i]
    figure = Figure(
        figsize=(1.6 + 1.15 * len(betas), 2.0 + 0.72 * len(alphas)),
        dpi=160,
        layout="constrained",
        facecolor="white",
    )
    FigureCanvasAgg(figure)
    axes: Any = figure.add_subplot()
    shades = LinearSegmentedColormap.from_list("accuracy", SHADES)
    image = axes.imshow(values, cmap=shades, aspect="auto", origin="lower")
    _label_cells(axes, grid, cells, values)
    _dress(axes, grid, title, alphas, betas)
    bar: Any = figure.colorbar(image, ax=axes, fraction=0.04, pad=0.02)
    bar.set_label("Validation accuracy (%)", color=INK, fontsize=10)
    bar.ax.tick_params(colors=MUTED, length=0, labelsize=9)
    bar.outline.set_visible(False)
    figure.savefig(path)


def _cells(grid: CoefficientGrid) -> tuple[dict[tuple[int, int], int], list[float], list[float]]:
    """The best point of each (row, column), and the values of alpha and beta."""
    alphas = sorted({point.rule.depth for point in grid.points})
    betas = sorted({point.rule.width for point in grid.points})
    cells: dict[tuple[int, int], int] = {}
    for i in reversed(ranking(grid).order):
        rule = grid.points[i].rule
        cells[alphas.index(rule.depth), betas.index(rule.width)] = i
    return cells, alphas, betas


def _label_cells(
    axes: Any, grid: CoefficientGrid, cells: dict[tuple[int, int], int], values: np.ndarray
) -> None:
    from matplotlib.patches import Rectangle

    ranked = ranking(grid)
    low, high = np.nanmin(values), np.nanmax(values)
    for (row, column), i in cells.items():
        point, half = grid.points[i], ranked.half_width(i)
        score = f"{100 * ranked.means[i]:.1f}" + (f" ± {100 * half:.1f}" if half is not None else "")
        dark = values[row, column] - low > DARK * (high - low)
        text = f"{score}\nγ {point.rule.resolution:.3g}" + (f"\n{point.kind}" if point.kind else "")
        axes.text(column, row, text, ha="center", va="center", fontsize=8.5, color="white" if dark else INK)
        if i == ranked.order[0]:
            edge = Rectangle(
                (column - 0.48, row - 0.46), 0.96, 0.92, fill=False, edgecolor=BEST, linewidth=2.4
            )
            axes.add_patch(edge)


def _dress(axes: Any, grid: CoefficientGrid, title: str, alphas: list[float], betas: list[float]) -> None:
    runs = sum(len(point.rows) for point in grid.points)
    subtitle = (
        f"{grid.dataset} · {len(grid.points)} points, {runs} runs of {grid.steps} steps · best outlined"
    )
    axes.set_title(verbatim(title), loc="left", fontsize=13, fontweight="bold", color=INK, pad=24)
    axes.text(0, 1.02, verbatim(subtitle), transform=axes.transAxes, fontsize=9.5, color=MUTED)
    axes.set_xlabel("β, the width's factor", color=INK, fontsize=11, labelpad=6)
    axes.set_ylabel("α, the depth's factor", color=INK, fontsize=11, labelpad=6)
    axes.set_xticks(range(len(betas)), [f"{value:.3g}" for value in betas])
    axes.set_yticks(range(len(alphas)), [f"{value:.3g}" for value in alphas])
    axes.tick_params(which="both", colors=MUTED, length=0, labelsize=10)
    for side in axes.spines.values():
        side.set_visible(False)
    for row, column in itertools.product(range(len(alphas) + 1), range(len(betas) + 1)):
        axes.axhline(row - 0.5, color="white", linewidth=2)
        axes.axvline(column - 0.5, color="white", linewidth=2)
