"""SVG as text: elements, and the few shapes that drawings are made of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'DejaVu Sans', Arial, sans-serif"
INK, MUTED, LINE = "#1f2430", "#667085", "#98a0ad"
MARGIN = 6.0  # pixels around a document
LETTER = 0.6  # the width of a letter over the size of its font, about


@dataclass(frozen=True)
class Drawing:
    """A piece of a picture of a known size, in pixels."""

    width: float
    height: float
    body: str


def element(name: str, inner: str = "", **attributes: str | float | None) -> str:
    """An SVG element: "_" in attribute names becomes "-", None leaves one out, numbers are rounded."""
    given = {
        key.strip("_").replace("_", "-"): value for key, value in attributes.items() if value is not None
    }
    written = "".join(f' {key}="{_value(value)}"' for key, value in given.items())
    return f"<{name}{written}>{inner}</{name}>" if inner else f"<{name}{written}/>"


def text(
    words: str,
    x: float,
    y: float,
    size: float = 13,
    anchor: str = "start",
    fill: str = INK,
    **more: str | float,
) -> str:
    """A line of text whose middle is at the height y."""
    place = {"x": x, "y": y + 0.35 * size, "font_size": size, "text_anchor": anchor, "fill": fill}
    return element("text", escape(words), **place, **more)


def box(x: float, y: float, width: float, height: float, fill: str, **more: str | float | None) -> str:
    """A rectangle with round corners."""
    return element("rect", x=x, y=y, width=width, height=height, fill=fill, **{"rx": 7, **more})


def group(parts: Iterable[str], title: str = "", **attributes: str | float | None) -> str:
    """Elements together, with what a pointer over them shows."""
    named = element("title", escape(title)) if title else ""
    return element("g", named + "".join(parts), **attributes)


def moved(drawing: Drawing, x: float, y: float) -> str:
    """A drawing at a place of another one."""
    return element("g", drawing.body, transform=f"translate({_value(x)} {_value(y)})")


def text_width(words: str, size: float) -> float:
    """About how wide a text is."""
    return LETTER * size * len(words)


def document(drawing: Drawing, title: str) -> str:
    """The text of a file, or of a part of a page: on white, as the pictures and the page are."""
    width, height = drawing.width + 2 * MARGIN, drawing.height + 2 * MARGIN
    ground = box(0, 0, width, height, "#fff", rx=0)
    inner = element("title", escape(title)) + ground + moved(drawing, MARGIN, MARGIN)
    return element(
        "svg",
        inner,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {_value(width)} {_value(height)}",
        width=width,
        height=height,
        font_family=FONT,
        role="img",
    )


def _value(value: str | float) -> str:
    return escape(value) if isinstance(value, str) else f"{round(value, 2):g}"
