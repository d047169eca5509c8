"""Strategies by name, at the settings that are used where nothing else is said.

The settings of the controllers were chosen on three tables, and serve all others (`docs/decisions.md`):
they see rewards by rank, so a table's unit and spread do not matter.
"""

from __future__ import annotations

from collections.abc import Callable

from scaling.border import nearest
from search.space import Space
from search.strategies import policies
from search.strategies.baselines import grid, random, random_without_replacement
from search.strategies.controllers import Learning, ppo, reinforce
from search.strategies.evolution import evolution
from search.strategies.local_search import local_search
from search.strategy import Strategy

LOGITS = Learning(rate=0.15)
LSTM = Learning(rate=0.03)
LSTM_PPO = Learning(rate=0.03, batch=5)

STRATEGIES: dict[str, Callable[[Space], Strategy]] = {
    "grid": grid,
    "random": random,
    "random_without_replacement": random_without_replacement,
    "local_search": local_search,
    "evolution": evolution,
    "reinforce": lambda space: reinforce(space, policies.logits(space), LOGITS),
    "lstm_reinforce": lambda space: reinforce(space, policies.lstm(space), LSTM),
    "lstm_ppo": lambda space: ppo(space, policies.lstm(space), LSTM_PPO),
}


def named(name: str, space: Space) -> Strategy:
    """The strategy of a name at its default settings; KeyError, with the nearest names, for others."""
    if name not in STRATEGIES:
        raise KeyError(f"no strategy {name!r}{nearest(name, STRATEGIES)} There are: {', '.join(STRATEGIES)}.")
    return STRATEGIES[name](space)
