"""Drawings are well-formed, show every edge and stage, and put nothing on top of anything else."""

import itertools
from xml.etree import ElementTree

import numpy as np
import pytest

import scaling
from scaling.arch.blocks.cell import Cell
from scaling.zoo import amoebanet, darts, enas, nasbench201, nasnet
from search.reports import svg
from search.reports.cell_drawing import draw_cell, readable
from search.reports.drawing import draw_network, named_cells
from search.reports.layers import isotonic
from search.reports.macro_drawing import describe

SVG = "{http://www.w3.org/2000/svg}"
CELLS = {
    **{digits: nasbench201.cell(digits) for digits in ("000000", "421312", "333333", "010203")},
    "nasnet": nasnet.NORMAL,
    "nasnet reduction": nasnet.REDUCTION,
    "pnasnet": nasnet.PROGRESSIVE,
    **{f"darts {name} {i}": cell for name, pair in darts.CELLS.items() for i, cell in enumerate(pair)},
    **{
        f"{name} {caption}": cell
        for archs in (amoebanet.ARCHS, enas.ARCHS)
        for name, arch in archs.items()
        for cell, caption in named_cells(arch).items()
    },
    "one edge": Cell(((("skip", 0),),), inputs=1),
}


def parse(drawing: svg.Drawing, title: str = "a & <b>") -> ElementTree.Element:
    return ElementTree.fromstring(svg.document(drawing, title))


def texts(root: ElementTree.Element) -> list[str]:
    return [found.text or "" for found in root.iter(f"{SVG}text")]


def boxes(root: ElementTree.Element) -> list[tuple[float, ...]]:
    """(x, y, width, height) of every box but the ground."""
    found = [r for r in root.iter(f"{SVG}rect") if r.get("rx") != "0"]
    return [tuple(float(r.get(name, "0")) for name in ("x", "y", "width", "height")) for r in found]


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
def test_every_edge_of_a_cell_is_drawn(cell):
    root = parse(draw_cell(cell))
    drawn = [
        (g.get("data-operation"), int(g.get("data-from", "")), int(g.get("data-to", "")))
        for g in root.iter(f"{SVG}g")
        if g.get("class") == "edge"
    ]
    edges = [
        (operation, state, cell.inputs + node)
        for node, read in enumerate(cell.nodes)
        for operation, state in read
    ]
    assert sorted(drawn) == sorted(edges)
    for operation, _, _ in edges:
        assert readable(operation) in texts(root)
    lines = [path for path in root.iter(f"{SVG}path") if path.get("fill") == "none"]
    assert len(lines) == 2 * len(edges) + max(1, len(cell.concat))


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
def test_nothing_of_a_cell_lies_on_anything_else_or_outside(cell):
    drawing = draw_cell(cell)
    places = boxes(parse(drawing))
    for (x, y, w, h), (x2, y2, w2, h2) in itertools.combinations(places, 2):
        assert x + w <= x2 or x2 + w2 <= x or y + h <= y2 or y2 + h2 <= y
    assert all(
        x >= -0.1 and y >= -0.1 and x + w <= drawing.width + 0.1 and y + h <= drawing.height + 0.1
        for x, y, w, h in places
    )


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
def test_no_line_passes_behind_the_box_of_another_edge(cell):
    """Within a column lines are level: there, each must be free of all boxes but those at its ends."""
    root = parse(draw_cell(cell))
    places = boxes(root)
    for path in root.iter(f"{SVG}path"):
        words = path.get("d", "").replace("M", " ").replace("H", " H ").replace("C", " C ").split()
        x, y, levels = float(words[0]), float(words[1]), []
        rest = words[2:]
        while rest:
            if rest[0] == "H":
                levels.append((x, float(rest[1]), y))
                x, rest = float(rest[1]), rest[2:]
            else:
                x, y, rest = float(rest[5]), float(rest[6]), rest[7:]
        for left, right, height in levels[1:-1]:
            middle = (left + right) / 2
            assert not any(bx < middle < bx + w and by < height < by + h for bx, by, w, h in places)


@pytest.mark.parametrize("name", ["efficientnet_b0", "mobilenetv3_small_100", "resnet50", "googlenet"])
def test_every_stage_of_a_network_is_drawn(name):
    arch = scaling.get(name)
    root = parse(draw_network(arch))
    shown, stages = texts(root), [*arch.stem, *arch.stages]
    for stage in stages:
        assert describe(stage.block) in shown and str(stage.width) in shown
    assert sum(g.get("class") == "stage" for g in root.iter(f"{SVG}g")) == len(stages)
    assert shown.count(f"{arch.resolution // 32}×{arch.resolution // 32}") >= 1
    assert any(f"{arch.num_classes} classes" in text for text in shown)


def test_blocks_are_described_by_what_is_searched():
    b0 = scaling.get("efficientnet_b0")
    assert describe(b0.stages[2].block) == "MBConv 5×5, expand 6, SE 0.25"
    assert describe(scaling.get("resnet50").stages[0].block) == "Residual 1-3-1, inner 0.25"


def test_a_network_of_cells_shows_each_kind_once():
    arch = nasbench201.network(nasbench201.cell("421312"))
    assert list(named_cells(arch).values()) == ["normal cell", "reduction cell"]
    assert texts(parse(draw_network(arch))).count("normal cell") == 1 + 3


def test_text_is_escaped():
    assert "a &amp; &lt;b&gt;" in svg.document(svg.Drawing(1, 1, ""), "a & <b>")
    assert ElementTree.fromstring(svg.text('"<&>"', 0, 0)).text == '"<&>"'


def test_isotonic_never_falls_and_nothing_that_does_not_is_nearer():
    rng = np.random.default_rng(0)
    for _ in range(20):
        values = rng.normal(size=8)
        fitted = isotonic(values)
        assert (np.diff(fitted) >= -1e-12).all()
        others = np.sort(fitted + 0.1 * rng.normal(size=(200, 8)), axis=1)
        assert (((others - values) ** 2).sum(1) >= ((fitted - values) ** 2).sum() - 1e-9).all()
