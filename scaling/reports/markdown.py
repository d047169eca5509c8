"""Lines of Markdown's tables, and text that no other notation may be read into."""

from __future__ import annotations

from collections.abc import Iterable


def table_line(cells: Iterable[object]) -> str:
    """A line of a table; a bar within a cell does not end it."""
    return "| " + " | ".join(str(cell).replace("|", r"\|") for cell in cells) + " |"


def verbatim(text: str) -> str:
    """Text that matplotlib draws letter by letter: between two dollars it would read mathematics."""
    return text.replace("$", r"\$")
