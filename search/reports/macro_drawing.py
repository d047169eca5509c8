"""A network of stages as a drawing: a row a stage, from the image down to the classes."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping

from scaling.arch.arch import Arch, Stage
from scaling.arch.blocks import Block, Cell
from scaling.arch.head import Head
from search.reports import svg

ROW, GAP, CARD = 30.0, 16.0, 4.0  # heights of a row, between rows, and by how much a card behind shows
BAR = 330.0  # the width of the boxes
LEFT = 92.0  # where boxes begin; before it stands the side of the map
COLUMNS = {"width": 476.0, "repeats": 544.0, "stride": 604.0}  # where numbers end, and their headings
FONT, SMALL = 12.5, 11.5

# The fields of blocks that are shown where they are not 0, and the words for them
NUMBERS = {
    "expand": "expand", "se_ratio": "SE", "inner": "inner", "squeeze": "squeeze", "growth": "growth",
    "layers": "layers", "group_width": "group width", "compression": "compression",
}  # fmt: skip

GROUNDS = (
    ("#e3edf8", "#2563a8"), ("#fbe9df", "#d9622b"), ("#e0f1ea", "#2f8f6b"), ("#efe6f4", "#8a4fa3"),
    ("#f7efd8", "#b8860b"), ("#f9e4ea", "#c2385f"),
)  # fmt: skip


def draw_macro(arch: Arch, names: Mapping[Cell, str]) -> svg.Drawing:
    """Draw stem, stages and head with kernel, width, repeats, stride and side of each; some cells have names.

    Sides are the resolution over the strides, rounded up: what networks with padding have.
    """
    stages = [*arch.stem, *arch.stages]
    labels = [_label(stage.block, names) for stage in stages]
    kinds = list(dict.fromkeys(label.split()[0] for label in labels))
    colours = {kind: GROUNDS[i % len(GROUNDS)] for i, kind in enumerate(kinds)}
    step = ROW + GAP
    parts = [_headings()]
    parts += [
        _stage(stage, -(-arch.resolution // grid.stride), label, 24 + i * step, colours[label.split()[0]])
        for i, (stage, grid, label) in enumerate(zip(stages, arch.feature_grids, labels))
    ]
    parts.append(_head(arch, 24 + len(stages) * step))
    return svg.Drawing(COLUMNS["stride"], 24 + len(stages) * step + ROW, "".join(parts))


def _label(block: Block, names: Mapping[Cell, str]) -> str:
    return names[block] if isinstance(block, Cell) and block in names else describe(block)


def describe(block: Block) -> str:
    """A block in short: its kind, its kernel, and what tells it from others of its kind."""
    values = {field.name: getattr(block, field.name) for field in dataclasses.fields(block)}
    words = [re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", " ", type(block).__name__)]
    if "kernel" in values:
        words[0] += " {0}×{0}".format(values["kernel"])
    if "kernels" in values:
        words[0] += " " + "-".join(map(str, values["kernels"]))
    words += [f"{word} {values[name]:g}" for name, word in NUMBERS.items() if values.get(name)]
    return ", ".join(words)


def _headings() -> str:
    words = [svg.text("side", LEFT - 16, 8, SMALL, "end", svg.MUTED)]
    words += [svg.text(name, x, 8, SMALL, "end", svg.MUTED) for name, x in COLUMNS.items()]
    return "".join(words)


def _stage(stage: Stage, side: int, label: str, y: float, colours: tuple[str, str]) -> str:
    middle = y + ROW / 2
    cards = [
        svg.box(LEFT + CARD * i, y - CARD * i, BAR, ROW, colours[0], stroke=colours[1])
        for i in range(min(stage.repeats, 3) - 1, -1, -1)
    ]
    numbers = {"width": str(stage.width), "repeats": f"×{stage.repeats}", "stride": f"/{stage.stride}"}
    words = [
        svg.text(f"{side}×{side}", LEFT - 16, middle, FONT, "end", svg.MUTED),
        svg.text(label, LEFT + 14, middle, _size(label)),
        *(
            svg.text(
                numbers[name], x, middle, FONT, "end", svg.MUTED if numbers[name] in ("×1", "/1") else svg.INK
            )
            for name, x in COLUMNS.items()
        ),
    ]
    return _arrow(y) + svg.group([*cards, *words], class_="stage")


def _size(label: str) -> float:
    """The font's size at which a label fits into its box."""
    return min(FONT, (BAR - 28) / svg.text_width(label, 1))


def _arrow(y: float) -> str:
    """What leads from a row down to the next."""
    x = LEFT + BAR / 2
    return svg.element("path", d=f"M{x} {y + ROW}V{y + ROW + GAP}", stroke=svg.LINE, stroke_width=1.4)


def _head(arch: Arch, y: float) -> str:
    head, widths = arch.head, ()
    if isinstance(head, Head):
        widths = (head.width,) * (head.width is not None) + head.hidden
    named = "head" if isinstance(head, Head) else f"{type(head).__name__} head"
    label = ", ".join([named, *(f"{width} wide" for width in widths), f"{arch.num_classes} classes"])
    shape = svg.box(LEFT, y, BAR, ROW, svg.INK, rx=ROW / 2)
    return svg.group([shape, svg.text(label, LEFT + BAR / 2, y + ROW / 2, FONT, "middle", "#fff")])
