"""The loop of a search on the host: ask, evaluate, write down, tell; and go on after a kill."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from scaling.runs.rows import NAN, OK
from search.core.evaluation import Evaluation
from search.core.strategy import State, Strategy, heeds, rungs_of
from search.evaluators.cached import Cached
from search.runs.assemble import Search
from search.runs.history import History, Record

AHEAD = 64  # points asked for at once of a strategy that heeds no reward

Report = Callable[[Record, float], None]  # the record, and the seconds until it was there


def run(search: Search, evaluations: int, seed: int, history: History, report: Report) -> list[Record]:
    """Make `history` so many lines long, and return them; what it holds already is not paid for again.

    An evaluator may be at several points of a batch at once; lines and what the strategy is told are in the
    order asked. A strategy that heeds no reward is asked for several batches at a time.

    The strategy is told again what stands there, and asks the same: so a search that was killed goes on
    as if it had not been. ValueError where it asks for something else: another strategy, space or seed
    wrote the history.
    """
    strategy, desk = search.strategy, _Desk(search, history, report)
    ask, tell = _on_host(lambda state: _ask(strategy, state)), _on_host(strategy.tell)
    state, done = _on_host(strategy.init)(jax.random.key(seed)), 0
    heeding = search.evaluator.stateful or heeds(strategy, search.objectives)
    while done < evaluations:
        asked, rungs, state = ask(state)
        points = np.asarray(asked)
        while not heeding and len(points) < min(AHEAD, evaluations - done):
            asked, more, state = ask(state)
            points, rungs = np.concatenate([points, asked]), np.concatenate([rungs, more])
        records = desk.serve(points[: evaluations - done], rungs.tolist(), done)
        done += len(records)
        if heeding and len(records) == len(points):
            state = tell(state, asked, _rewards(records))
    return history.records[:evaluations]


def _ask(strategy: Strategy, state: State) -> tuple[jax.Array, jax.Array, State]:
    """Points, their rungs, and the state after."""
    points, state = strategy.ask(state)
    return points, rungs_of(strategy, state, points), state


def _on_host(function: Callable[..., Any]) -> Callable[..., Any]:
    """The compiled function, run by the host's processor: a trace is then the same whatever device trains."""
    compiled = jax.jit(function)

    def call(*arguments: Any) -> Any:
        with jax.default_device(_host()):
            return compiled(*arguments)

    return call


def _host() -> Any:
    """The host's processor; None, for the default device, where JAX was told not to use it."""
    try:
        return jax.local_devices(backend="cpu")[0]
    except RuntimeError:
        return None


class _Desk:
    """Answers batches of points: from the history as far as it reaches, then by the evaluator."""

    def __init__(self, search: Search, history: History, report: Report):
        self._search, self._history, self._report = search, history, report
        self._cached = Cached(search.space, search.evaluator)
        for record in history.records:
            self._cached.learn(np.array(record.point, np.int32), record.rung, record.evaluation)
        if history.records and search.evaluator.stateful:
            search.evaluator.restore(len(history.records))

    def serve(self, points: np.ndarray, rungs: Sequence[int], done: int) -> list[Record]:
        """The records of the points at their rungs, which are numbers `done` and following of the search."""
        here = slice(done, done + len(points))
        written = self._history.records[here]
        for record, point, rung in zip(written, points, rungs):
            _check_same(record, point, rung, self._search.space.to_string(point))
        if len(written) < len(points):
            self._evaluate(points[len(written) :], rungs[len(written) : len(points)], done + len(written))
        return self._history.records[here]

    def _evaluate(self, points: np.ndarray, rungs: Sequence[int], first: int) -> None:
        """Write down each evaluation as it comes; those of a stateful evaluator together with its state."""
        search, unwritten, started = self._search, [], time.monotonic()
        with contextlib.closing(self._cached(list(points), rungs)) as answers:  # closed, it leaves no process
            for index, (point, rung, (found, cached)) in enumerate(zip(points, rungs, answers), first):
                unwritten.append(_record(search, index, point, rung, found, cached))
                self._report(unwritten[-1], time.monotonic() - started)
                started = time.monotonic()
                if not search.evaluator.stateful:
                    self._history.append(unwritten)
                    unwritten = []
        if unwritten:
            search.evaluator.save(first + len(points))
            self._history.append(unwritten)


def _record(
    search: Search, index: int, point: np.ndarray, rung: int, found: Evaluation, cached: bool
) -> Record:
    found = _finite(found)
    return Record(
        index=index,
        point=tuple(map(int, point)),
        rung=rung,
        name=search.space.to_string(point),
        network=search.space.to_string(search.space.canonical(point)),
        rewards=_judge(search, found),
        cached=cached,
        **{f.name: getattr(found, f.name) for f in dataclasses.fields(found)},
    )


def _finite(found: Evaluation) -> Evaluation:
    """The evaluation without metrics that are not finite; it is then of status "nan"."""
    lost = [name for name, value in found.metrics.items() if not math.isfinite(value)]
    if not lost:
        return found
    metrics = {name: value for name, value in found.metrics.items() if name not in lost}
    status = NAN if found.status == OK else found.status
    message = f"{found.message} not finite: {', '.join(lost)}".strip()
    return dataclasses.replace(found, metrics=metrics, status=status, message=message)


def _judge(search: Search, found: Evaluation) -> tuple[float | None, ...]:
    """The rewards of an evaluation; None for each where it failed, or is not finite."""
    if found.status != OK:
        return (None,) * search.objectives
    try:
        with jax.default_device(_host()):
            rewards = search.objective({n: jnp.float32([value]) for n, value in found.metrics.items()})
    except KeyError as error:
        raise ValueError(
            f"the objective needs metric {error}, which the evaluator does not give: it gives "
            f"{', '.join(found.metrics)}."
        ) from error
    numbers = np.asarray(rewards, float).reshape(search.objectives).tolist()
    return tuple(number if math.isfinite(number) else None for number in numbers)


def _rewards(records: Sequence[Record]) -> np.ndarray:
    """Rewards [n], or [n, M] of several objectives, as strategies are told them."""
    rewards = [[-np.inf if r is None else r for r in record.rewards] for record in records]
    array = np.array(rewards, np.float32)
    return array[:, 0] if array.shape[1] == 1 else array


def _check_same(record: Record, point: np.ndarray, rung: int, name: str) -> None:
    """Raise ValueError for another point, or one of the same numbers that the space calls otherwise."""
    if (record.point, record.rung, record.name) != (tuple(map(int, point)), rung, name):
        raise ValueError(
            f"line {record.index + 1} of the history holds point {list(record.point)} ({record.name}) at rung {record.rung}, "
            f"but this search asks for {point.tolist()} ({name}) at rung {rung}: its space, table, strategy, seed or version "
            "differs. Give it a --workdir of its own, or the config.json that lies beside the history."
        )
