"""What a search's directory holds, beside a run's `config.json`: every file and folder by its one name."""

from __future__ import annotations

HISTORY, MARK = "history.jsonl", "history.mark.json"
RUNS, SHARED = "runs", "shared"  # the candidates' own directories; the states of shared weights

# What was found
BEST, GENOTYPE, TRAIN_CONFIG = "best", "genotype.json", "train_config.json"
FINAL = "final"  # the sweep that trains the best for good

# The report
BOARD, BOARD_CSV, HISTORY_CSV = "leaderboard.md", "leaderboard.csv", "history.csv"
PICTURE, DRAWING, PAGE = "anytime.png", "best.svg", "search.html"
BASELINE = "baseline.json"
