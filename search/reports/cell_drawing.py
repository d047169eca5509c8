"""A cell as a drawing: its states from left to right, and on every edge a box that names the operation."""

from __future__ import annotations

import re
from collections.abc import Sequence

from scaling.arch.blocks.cell import Cell
from search.reports import svg
from search.reports.layers import Layers

# By what operation names begin with: the colours of a box's ground and of its line
COLOURS = {
    "sep": ("#e3edf8", "#2563a8"),
    "dil": ("#efe6f4", "#8a4fa3"),
    "conv": ("#fbe9df", "#d9622b"),
    "avg": ("#e0f1ea", "#2f8f6b"),
    "max": ("#f7efd8", "#b8860b"),
    "shrink": ("#e0f1ea", "#2f8f6b"),
    "skip": ("#f1f3f6", "#6b7280"),
}
PLAIN = ("#f1f3f6", "#6b7280")
BOX, STATE, GAP = 26.0, 30.0, 8.0  # heights of boxes and states, and what is free between them
BETWEEN = 36.0  # pixels between columns
FONT = 12.5
OUT = "out"

Vertex = str | tuple[int, int] | int  # the output, an operation (node, place), or a state


def draw_cell(cell: Cell) -> svg.Drawing:
    """Draw a cell; edges of "none", which bring nothing, are faint."""
    columns, lines = _columns(cell), _lines(cell)
    labels = {vertex: _label(cell, vertex) for vertex in columns}
    heights = {v: (BOX if isinstance(v, tuple) else STATE) + GAP for v in columns}
    layers = Layers(columns, lines, heights)
    spans = _spans(columns, labels)
    drawn = [_line(layers.path(line), spans, _faint(cell, line)) for line in lines]
    for vertex, column in columns.items():
        left, right = spans[column]
        drawn.append(_vertex(cell, vertex, (left + right) / 2, layers.y[vertex], labels[vertex]))
    bottom = max(y for line in lines for _, y in layers.path(line)) + (STATE + GAP) / 2
    return svg.Drawing(spans[-1][1], bottom, "".join(drawn))


def readable(operation: str) -> str:
    """The name of an operation as people write it: "sep 3×3"."""
    return re.sub(r"(\d)x(\d)", r"\1×\2", operation).replace("_", " ")


def _columns(cell: Cell) -> dict[Vertex, int]:
    """States stand in even columns by how many operations lead to them, operations in odd ones before."""
    depth = [0] * cell.inputs
    columns: dict[Vertex, int] = {state: 0 for state in range(cell.inputs)}
    for node, edges in enumerate(cell.nodes):
        depth.append(1 + max(depth[state] for _, state in edges))
        columns[cell.inputs + node] = 2 * depth[-1]
        columns |= {(node, place): 2 * depth[-1] - 1 for place in range(len(edges))}
    columns[OUT] = 2 * max(depth) + 1
    return columns


def _lines(cell: Cell) -> list[tuple[Vertex, Vertex]]:
    lines: list[tuple[Vertex, Vertex]] = []
    for node, edges in enumerate(cell.nodes):
        for place, (_, state) in enumerate(edges):
            lines += [(state, (node, place)), ((node, place), cell.inputs + node)]
    last = cell.inputs + len(cell.nodes) - 1
    return lines + [(state, OUT) for state in cell.concat or (last,)]


def _label(cell: Cell, vertex: Vertex) -> str:
    if isinstance(vertex, tuple):
        node, place = vertex
        return readable(cell.nodes[node][place][0])
    if vertex == OUT:
        return "concat" if cell.concat else "output"
    if isinstance(vertex, int) and vertex < cell.inputs:
        return "input" if cell.inputs == 1 else ("cell k−2", "cell k−1")[vertex]
    return str(vertex)


def _spans(columns: dict[Vertex, int], labels: dict[Vertex, str]) -> list[tuple[float, float]]:
    """Where each column begins and ends."""
    spans, right = [], -BETWEEN
    for column in range(1 + max(columns.values())):
        left = right + BETWEEN
        right = left + max(_width(labels[v]) for v, at in columns.items() if at == column)
        spans.append((left, right))
    return spans


def _width(label: str) -> float:
    return max(STATE, svg.text_width(label, FONT) + 16)


def _faint(cell: Cell, line: tuple[Vertex, Vertex]) -> bool:
    return any(isinstance(end, tuple) and cell.nodes[end[0]][end[1]][0] == "none" for end in line)


def _line(path: Sequence[tuple[int, float]], spans: Sequence[tuple[float, float]], faint: bool) -> str:
    """A line that is level within columns and bends between them; its ends are behind their boxes."""
    column, y = path[0]
    parts = [f"M{sum(spans[column]) / 2:.1f} {y:.1f}"]
    for after, y_after in path[1:]:
        start, end = spans[after - 1][1], spans[after][0]
        middle = (start + end) / 2
        parts.append(f"H{start:.1f}C{middle:.1f} {y:.1f} {middle:.1f} {y_after:.1f} {end:.1f} {y_after:.1f}")
        y = y_after
    return svg.element(
        "path",
        d="".join(parts) + f"H{sum(spans[path[-1][0]]) / 2:.1f}",
        fill="none",
        stroke=svg.LINE,
        stroke_width=1.4,
        stroke_dasharray="2 4" if faint else None,
    )


def _vertex(cell: Cell, vertex: Vertex, x: float, y: float, label: str) -> str:
    width = _width(label)
    if isinstance(vertex, tuple):
        return _operation(cell, vertex, x, y, width)
    inner = vertex != OUT and isinstance(vertex, int) and vertex >= cell.inputs
    shape = svg.box(
        x - width / 2, y - STATE / 2, width, STATE, "#fff" if inner else svg.INK, stroke=svg.INK, rx=STATE / 2
    )
    words = svg.text(label, x, y, FONT, "middle", svg.INK if inner else "#fff")
    return svg.group([shape, words], class_="state")


def _operation(cell: Cell, vertex: tuple[int, int], x: float, y: float, width: float) -> str:
    node, place = vertex
    operation, state = cell.nodes[node][place]
    ground, line = COLOURS.get(operation.partition("_")[0], PLAIN)
    none = operation == "none"
    shape = svg.box(
        x - width / 2, y - BOX / 2, width, BOX, "#fff" if none else ground,
        stroke=svg.LINE if none else line, stroke_dasharray="2 4" if none else None,
    )  # fmt: skip
    words = svg.text(readable(operation), x, y, FONT, "middle", svg.MUTED if none else svg.INK)
    target = cell.inputs + node
    return svg.group(
        [shape, words],
        f"{operation}: {state} to {target}",
        class_="edge",
        data_operation=operation,
        data_from=state,
        data_to=target,
    )
