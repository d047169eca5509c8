"""From directories of searches to the report: a function of what they hold and of nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from scaling.border.files import write_atomically
from search.reports import baseline, page, svg, tables
from search.reports.drawing import draw_network
from search.reports.leaderboard import leaderboard
from search.reports.picture import save_anytime
from search.reports.source import FinishedSearch, read_searches
from search.runs.workdir import BASELINE, BOARD, BOARD_CSV, DRAWING, HISTORY_CSV, PAGE, PICTURE


def build(sources: Sequence[Path], out: Path, title: str) -> dict[str, Path]:
    """Write the report of the searches in `sources` to `out`; return the paths by name.

    Where a table is searched and at hand, regret and random search's expectation are exact, and kept in
    `baseline.json` for reports where it is not. `best.svg` is left out where the space has no networks.
    ValueError where a source holds no search.
    """
    searches = read_searches(sources)
    table = baseline.table_rewards(searches[0])
    reference = baseline.baseline(searches, table)
    out.mkdir(parents=True, exist_ok=True)
    texts = {
        BOARD: tables.to_markdown(searches, title),
        BOARD_CSV: tables.to_csv(searches),
        HISTORY_CSV: tables.history_csv(searches),
        PAGE: page.to_html(searches, title, reference),
    }
    if (best := best_search(searches)) is not None and best.arch is not None:
        texts[DRAWING] = svg.document(draw_network(best.arch), str(best.genotype.get("string", "")))
    if table is not None and reference.expected is not None:
        texts[BASELINE] = reference.to_json()
    for name, text in texts.items():
        write_atomically(out / name, text)
    save_anytime(searches, title, out / PICTURE, reference)
    return {name: out / name for name in (*texts, PICTURE)}


def best_search(searches: Sequence[FinishedSearch]) -> FinishedSearch | None:
    """The search whose best network leads the leaderboard, or else the first that has a network."""
    leading = [entry.record.network for entry in leaderboard(searches, 1)]
    drawable = [search for search in searches if search.arch is not None]
    return next((s for s in drawable if s.genotype.get("network") in leading), next(iter(drawable), None))
