"""Strategies by name, at the settings that are used where nothing else is said.

The settings of the controllers were chosen on three tables, and serve all others (`docs/decisions.md`):
they see rewards by rank, so a table's unit and spread do not matter.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from scaling.border.typed import nearest
from search.core.space import Space
from search.core.strategy import Strategy
from search.strategies import policies
from search.strategies.baselines import grid, random, random_without_replacement
from search.strategies.controllers import Learning, ppo, reinforce
from search.strategies.evolution import evolution
from search.strategies.gaussian_process import gp
from search.strategies.local_search import local_search
from search.strategies.nsga2 import nsga2
from search.strategies.predictor import predictor

LOGITS = Learning(rate=0.15)
LSTM = Learning(rate=0.02)
LSTM_PPO = Learning(rate=0.02, batch=5)


def _logits_reinforce(space: Space, **learning: Any) -> Strategy:
    return reinforce(space, policies.logits(space), dataclasses.replace(LOGITS, **learning))


def _lstm_reinforce(
    space: Space, hidden: int = 16, scale: float = 0.5, bias_gain: float = 8.0, **learning: Any
) -> Strategy:
    policy = policies.lstm(space, hidden, scale, bias_gain)
    return reinforce(space, policy, dataclasses.replace(LSTM, **learning))


def _lstm_ppo(
    space: Space,
    hidden: int = 16,
    scale: float = 0.5,
    bias_gain: float = 8.0,
    epochs: int = 4,
    clip: float = 0.2,
    **learning: Any,
) -> Strategy:
    policy = policies.lstm(space, hidden, scale, bias_gain)
    return ppo(space, policy, dataclasses.replace(LSTM_PPO, **learning), epochs, clip)


STRATEGIES: dict[str, Callable[..., Strategy]] = {
    "grid": grid,
    "random": random,
    "random_without_replacement": random_without_replacement,
    "local_search": local_search,
    "evolution": evolution,
    "nsga2": nsga2,
    "gp": gp,
    "predictor": predictor,
    "reinforce": _logits_reinforce,
    "lstm_reinforce": _lstm_reinforce,
    "lstm_ppo": _lstm_ppo,
}
SEVERAL = ("nsga2",)  # those that take several objectives


def named(name: str, space: Space, **settings: Any) -> Strategy:
    """The strategy of a name; `settings` replace its defaults.

    KeyError, with the nearest names, where there is no such strategy; ValueError for a setting that it
    does not take.
    """
    if name not in STRATEGIES:
        raise KeyError(f"no strategy {name!r}{nearest(name, STRATEGIES)} There are: {', '.join(STRATEGIES)}.")
    try:
        return STRATEGIES[name](space, **settings)
    except TypeError as error:
        raise ValueError(f"strategy {name!r} does not take settings {settings}: {error}.") from error
