"""A network as one drawing: its cells where it has some, and its stages."""

from __future__ import annotations

from scaling.arch.arch import Arch
from scaling.arch.blocks.cell import Cell
from search.reports import svg
from search.reports.cell_drawing import draw_cell
from search.reports.macro_drawing import draw_macro

CAPTION, GAP = 26.0, 22.0  # heights of a caption and between drawings


def draw_network(arch: Arch) -> svg.Drawing:
    """Draw every cell that differs, then the stages, one below the other."""
    captions = named_cells(arch)
    parts = [(caption, draw_cell(cell)) for cell, caption in captions.items()]
    return _stack([*parts, ("stages", draw_macro(arch, captions))])


def named_cells(arch: Arch) -> dict[Cell, str]:
    """The cells of a network, each once; "reduction cell" where only stages with a stride have it."""
    strides: dict[Cell, int] = {}
    for stage in arch.stages:
        if isinstance(stage.block, Cell):
            strides[stage.block] = min(stage.stride, strides.get(stage.block, stage.stride))
    normal = "cell" if len(strides) == 1 else "normal cell"
    return {cell: normal if stride == 1 else "reduction cell" for cell, stride in strides.items()}


def _stack(parts: list[tuple[str, svg.Drawing]]) -> svg.Drawing:
    body, y = [], 0.0
    for caption, drawing in parts:
        body.append(svg.text(caption, 0, y + CAPTION / 2, 13, fill=svg.MUTED, font_weight="600"))
        body.append(svg.moved(drawing, 0, y + CAPTION))
        y += CAPTION + drawing.height + GAP
    return svg.Drawing(max(drawing.width for _, drawing in parts), y - GAP, "".join(body))
