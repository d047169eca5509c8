"""The config of a search that trains tiny networks for seconds."""

import pytest


@pytest.fixture
def training() -> dict:
    """Three candidates, two at a time, on images that every machine has."""
    return {
        "evaluations": 3,
        "strategy": {"name": "lstm_ppo", "settings": {"batch": 2}},
        "run": {
            "model": {"base_width": 0.25, "base_depth": 0.2, "base_resolution": 8},
            "data": {"source": "digits"},
            "optimizer": {"name": "adamw", "lr": 0.003},
            "train": {
                "batch": 64,
                "devices": 1,
                "duration": "6 steps",
                "eval_every": "0 steps",
                "checkpoint_every": "0 steps",
            },
        },
    }
