"""What pages are put together from: the document, cards, cells, messages."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from scaling.reports.template import SCRIPT, SHELL, STYLE


def document(
    title: str, lead: str, cards: Iterable[tuple[str, str]], sections: str, data: Any, script: str
) -> str:
    """One self-contained page; `sections` is HTML, `data` what `script` draws as DATA, the rest is text."""
    from plotly.offline import get_plotlyjs

    parts = {
        "title": escape(title),
        "style": STYLE,
        "lead": escape(lead),
        "cards": "".join(
            f'<div class="card"><b>{escape(b)}</b><span>{escape(s)}</span></div>' for b, s in cards
        ),
        "sections": sections,
        "plotly": get_plotlyjs(),
        "data": _script_json(data),
        "script": SCRIPT + script,
    }
    return fill(SHELL, parts)


def fill(template: str, parts: Mapping[str, str]) -> str:
    """Put HTML in the places {name} of a template."""
    return re.sub(r"\{(\w+)\}", lambda place: parts[place[1]], template)


def heads(names: Sequence[str], text: Iterable[str]) -> str:
    """The head cells of a table; columns named in `text` stand left."""
    left = set(text)
    return "".join(f'<th class="{"text" if n in left else "number"}">{escape(n)}</th>' for n in names)


def number_cell(value: float | None, text: str) -> str:
    """A cell that shows a text and is sorted by a number, None below all."""
    return f'<td data-v="{"-Infinity" if value is None else value}">{escape(text)}</td>'


def text_cell(text: str, code: bool = False) -> str:
    """A cell of text, as code where it names something."""
    inner = f"<code>{escape(text)}</code>" if code else escape(text)
    return f'<td class="text">{inner}</td>'


def status_mark(status: str) -> str:
    """A status in its colour."""
    return f'<span class="status{"" if status == "ok" else " bad"}">{escape(status)}</span>'


def folded_message(status: str, code: str, head: str, message: str) -> str:
    """One line that opens to a message."""
    shown = f"{status_mark(status)} <code>{escape(code)}</code> {escape(head)}"
    return f"<details><summary>{shown}</summary><pre>{escape(message or 'no message')}</pre></details>"


def facts(values: Mapping[str, str]) -> str:
    """Names and what is known of each."""
    listed = (f"<dt>{name}</dt><dd>{escape(value or 'not recorded')}</dd>" for name, value in values.items())
    return f"<dl>{''.join(listed)}</dl>"


def _script_json(value: Any) -> str:
    """JSON that no text in it can end the script element of."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")
