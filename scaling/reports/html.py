"""What pages are filled with, and the filling: templates are in `web/`, every text is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from jinja2 import Environment

WEB = Path(__file__).parent / "web"


@dataclass(frozen=True)
class Cell:
    """A cell of a table; a number is sorted by `value`, None last."""

    kind: Literal["text", "code", "number", "status"]
    text: str
    value: float | None = None


@dataclass(frozen=True)
class Message:
    """A line that opens to a text: a status, what it is of (a name in code and words), the text."""

    status: str
    code: str
    head: str
    text: str


@dataclass(frozen=True)
class Picture:
    """A picture within the page, as a data URI, and what it shows."""

    source: str
    about: str


@dataclass(frozen=True)
class Heading:
    """The title of a page, what of (it follows the title where a browser names the page), and a sentence."""

    title: str
    about: str
    lead: str


def document(
    template: Path, heading: Heading, cards: Iterable[tuple[str, str]], parts: Mapping[str, Any], data: Any
) -> str:
    """One self-contained page; `template` extends page.html by `parts`, its script draws `data` as DATA."""
    page = _environment(template.parent).get_template(template.name)
    return page.render(parts, heading=heading, cards=cards, data=data)


def heads(names: Sequence[str], text: Iterable[str]) -> list[tuple[str, str]]:
    """The heads of a table's columns and their classes; columns named in `text` stand left."""
    left = set(text)
    return [(name, "text" if name in left else "number") for name in names]


def number_cell(value: float | None, text: str) -> Cell:
    """A cell that shows a text and is sorted by a number, None last."""
    return Cell("number", text, value)


def text_cell(text: str, code: bool = False) -> Cell:
    """A cell of text, as code where it names something."""
    return Cell("code" if code else "text", text)


def status_cell(status: str) -> Cell:
    """A cell that shows a status in its colour."""
    return Cell("status", status)


def _environment(web: Path) -> Environment:
    """Templates of a directory and of our own; `asset(name)` is a style or script of one of them as it is."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    loader = FileSystemLoader([web, WEB])
    made = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made.globals["asset"] = lambda name: Markup(loader.get_source(made, name)[0])
    made.policies["json.dumps_kwargs"] = {"separators": (",", ":")}  # the order of keys is that of the axes
    return made
