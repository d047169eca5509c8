"""One self-contained `report.html`: opens from disk, loads nothing, shows every run."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from scaling.reports import html
from scaling.reports.curve import drawn, metric_of, score_of, swept
from scaling.reports.labels import network, size_label
from scaling.reports.learning import Learning
from scaling.reports.page_data import page_data
from scaling.reports.run_table import by_size, run_table
from scaling.reports.study import Study
from scaling.reports.units import duration, number, percent, si
from scaling.runs.rows import OK, Row

MANY_NAMES = 5  # more curves or data sets are counted and not named
MOST_REASONS = 5


def to_html(
    study: Study, curves: Sequence[Learning], title: str, sheets: Mapping[str, bytes] | None = None
) -> str:
    """The page of a study; `sheets` are PNGs of what runs answered, by the runs' ids."""
    rows, table = study.rows, run_table(study)
    parts = {
        "drawn": bool(drawn(rows)),
        "reasons": _reasons(rows),
        "curves_note": _curves_note(rows, curves),
        "curves": bool(curves),
        "columns": table.heads,
        "runs": table.lines,
        "pictures": [
            _picture(row, (sheets or {})[row.id]) for row in by_size(rows) if row.id in (sheets or {})
        ],
        "lost": _lost(rows),
        "problems": study.problems,
        **_config(rows),
        "provenance": _provenance(rows),
    }
    texts = html.Heading(title, _about(study), _lead(study))
    return html.document(html.WEB / "study.html", texts, _cards(rows), parts, page_data(study, curves, table))


def _about(study: Study) -> str:
    count = len(study.rows)
    return f"{count} run{'s' * (count != 1)} of {_few(study.series, 'curves')} on {_datasets(study.rows)}"


def _lead(study: Study) -> str:
    word = metric_of(study.rows).word
    names = _few(study.series, "curves")
    return f"Test {word} on {_datasets(study.rows)} against the cost of the network: {names}."


def _datasets(rows: Sequence[Row]) -> str:
    return _few(sorted({row.dataset or row.spec.data.name for row in rows} - {""}), "data sets")


def _few(names: Iterable[str], what: str) -> str:
    """The names, or how many they are where they are many."""
    known = list(names)
    if len(known) > MANY_NAMES:
        return f"{len(known)} {what}"
    return ", ".join(known) or f"no {what} yet"


def _cards(rows: Sequence[Row]) -> list[tuple[str, str]]:
    """The study in a few numbers: (number, what it is)."""
    finished = drawn(rows)
    cards = [(f"{len(finished)} of {len(rows)}", "runs finished with a score")]
    if not finished:
        return cards
    best = max(finished, key=lambda row: score_of(row) or 0.0)
    macs = [row.macs for row in finished]
    cards.append(
        (
            f"{percent(score_of(best))} %",
            f"best test {metric_of(rows).word}: {network(best)} {size_label(best)}",
        )
    )
    cards.append((f"{si(min(macs))} – {si(max(macs))}", f"MACs per image, ×{number(max(macs) / min(macs))}"))
    cards.append((str(len({row.seed for row in finished})), "seeds"))
    cards.append((duration(sum(row.seconds or 0.0 for row in rows)), "of training in all"))
    return cards


def _curves_note(rows: Sequence[Row], curves: Sequence[Learning]) -> str:
    if not curves:
        return "No metrics.jsonl was found beside the rows."
    some = f"{len(curves)} of {len(rows)} runs, every size first. " if len(curves) < len(rows) else ""
    return f"{some}Paler lines are smaller networks; those of selected runs, or of all that are shown."


def _picture(row: Row, sheet: bytes) -> html.Picture:
    """What a run answered, under the name of its network."""
    about = f"{network(row)} {size_label(row)}, seed {row.seed}: test {percent(score_of(row))} %"
    return html.Picture(f"data:image/png;base64,{base64.b64encode(sheet).decode()}", about)


def _lost(rows: Sequence[Row]) -> list[html.Message]:
    """The runs without a result, with their last line; the whole message opens."""
    return [
        html.Message(
            row.status,
            row.id,
            f"{network(row)} {size_label(row)}, seed {row.seed}: {_last_line(row)}",
            row.message,
        )
        for row in rows
        if row.status != OK
    ]


def _reasons(rows: Sequence[Row]) -> list[tuple[int, str, str]]:
    """Why runs have no result, the commonest first: how many, their status, their last line."""
    found = Counter((row.status, _last_line(row)) for row in rows if row.status != OK)
    return [(count, status, line) for (status, line), count in found.most_common(MOST_REASONS)]


def _last_line(row: Row) -> str:
    lines = [line for line in row.message.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "no message"


def _config(rows: Sequence[Row]) -> dict[str, Any]:
    """The keys that differ between runs, and as text what all share."""
    shared, varied = swept(rows)
    return {
        "varied": varied,
        "shared": "\n".join(f"{key} = {json.dumps(value)}" for key, value in shared.items()),
    }


def _provenance(rows: Sequence[Row]) -> dict[str, str]:
    """Where the numbers come from, each distinct value once."""
    versions = sorted({f"{name} {version}" for row in rows for name, version in row.versions.items()})
    devices = sorted({f"{row.device_count} × {row.device_kind}" for row in rows if row.device_kind})
    splits = sorted({f"{row.dataset}: {_splits(row)}" for row in rows if row.examples})
    finished = [row.finished for row in rows if row.finished]
    return {
        "Git revision": ", ".join(sorted({row.git_revision for row in rows if row.git_revision})),
        "Versions": ", ".join(versions),
        "Devices": ", ".join(devices),
        "Examples": "; ".join(splits),
        "Finished": f"{min(finished)} to {max(finished)}" if finished else "",
    }


def _splits(row: Row) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in row.examples.items())
