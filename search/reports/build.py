"""From directories of searches to the report: a function of what they hold and of nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from scaling.rows import write_atomically
from search.reports import leaderboard, page, regret, svg
from search.reports.drawing import draw_network
from search.reports.picture import save_anytime
from search.reports.source import Search, read_searches

BOARD, BOARD_CSV, HISTORY_CSV = "leaderboard.md", "leaderboard.csv", "history.csv"
PICTURE, DRAWING, PAGE = "anytime.png", "best.svg", "search.html"


def build(sources: Sequence[Path], out: Path, title: str, table: np.ndarray | None = None) -> dict[str, Path]:
    """Write the report of the searches in `sources` to `out`; return the paths by name.

    `table` holds the rewards [size] of all points of the space, where a table is searched: regret and random
    search's expectation are then exact. `best.svg` is left out where the space has no networks. ValueError
    where a source holds no search.
    """
    searches = read_searches(sources)
    baseline = regret.baseline(searches, table)
    out.mkdir(parents=True, exist_ok=True)
    texts = {
        BOARD: leaderboard.to_markdown(searches, title),
        BOARD_CSV: leaderboard.to_csv(searches),
        HISTORY_CSV: leaderboard.history_csv(searches),
        PAGE: page.to_html(searches, title, baseline),
    }
    if (best := best_search(searches)) is not None and best.arch is not None:
        texts[DRAWING] = svg.document(draw_network(best.arch), str(best.genotype.get("string", "")))
    for name, text in texts.items():
        write_atomically(out / name, text)
    save_anytime(searches, title, out / PICTURE, baseline)
    return {name: out / name for name in (*texts, PICTURE)}


def best_search(searches: Sequence[Search]) -> Search | None:
    """The first of the searches whose best network leads the leaderboard; None where nothing has a reward."""
    leading = leaderboard.leaderboard(searches, 1)
    if not leading:
        return None
    networks = [str(search.genotype.get("network", "")) for search in searches]
    found = leading[0].record.network
    return searches[networks.index(found)] if found in networks else None
