"""The loop of a search on the host: ask, evaluate, write down, tell; and go on after a kill."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from search.core.evaluation import Evaluation
from search.core.strategy import State, Strategy, rungs_of
from search.evaluators.cached import Cached
from search.runs.assemble import Search
from search.runs.history import History, Record

Report = Callable[[Record, float], None]  # the record, and the seconds until it was there


def run(search: Search, evaluations: int, seed: int, history: History, report: Report) -> list[Record]:
    """Make `history` so many lines long, and return them; what it holds already is not paid for again.

    The strategy is told again what stands there, and asks the same: so a search that was killed goes on
    as if it had not been. ValueError where it asks for something else: another strategy, space or seed
    wrote the history.
    """
    strategy, desk = search.strategy, _Desk(search, history, report)
    ask, tell = jax.jit(lambda state: _ask(strategy, state)), jax.jit(strategy.tell)
    state, done = jax.jit(strategy.init)(jax.random.key(seed)), 0
    while done < evaluations:
        points, rungs, state = ask(state)
        records = desk.serve(np.asarray(points)[: evaluations - done], rungs.tolist(), done)
        done += len(records)
        if len(records) == len(points):
            state = tell(state, points, _rewards(records))
    return history.records[:evaluations]


def _ask(strategy: Strategy, state: State) -> tuple[jax.Array, jax.Array, State]:
    """Points, their rungs, and the state after."""
    points, state = strategy.ask(state)
    return points, rungs_of(strategy, state, points), state


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
            _check_same(record, point, rung)
        if len(written) < len(points):
            self._evaluate(points[len(written) :], rungs[len(written) : len(points)], done + len(written))
        return self._history.records[here]

    def _evaluate(self, points: np.ndarray, rungs: Sequence[int], first: int) -> None:
        """Write down each evaluation as it comes; those of a stateful evaluator together with its state."""
        search, unwritten, started = self._search, [], time.monotonic()
        answers = zip(points, rungs, self._cached(list(points), rungs))
        for index, (point, rung, (found, cached)) in enumerate(answers, first):
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
    status = "nan" if found.status == "ok" else found.status
    message = f"{found.message} not finite: {', '.join(lost)}".strip()
    return dataclasses.replace(found, metrics=metrics, status=status, message=message)


def _judge(search: Search, found: Evaluation) -> tuple[float | None, ...]:
    """The rewards of an evaluation; None for each where it failed, or is not finite."""
    if found.status != "ok":
        return (None,) * search.objectives
    try:
        rewards = search.objective({name: jnp.float32([value]) for name, value in found.metrics.items()})
    except KeyError as error:
        raise ValueError(
            f"the objective needs metric {error}, which the evaluator does not give: it gives "
            f"{', '.join(found.metrics)}."
        ) from error
    numbers = np.asarray(rewards, float).reshape(search.objectives).tolist()
    return tuple(number if math.isfinite(number) else None for number in numbers)


def _rewards(records: Sequence[Record]) -> jax.Array:
    """Rewards [n], or [n, M] of several objectives, as strategies are told them."""
    rewards = [[-jnp.inf if r is None else r for r in record.rewards] for record in records]
    array = jnp.array(rewards, jnp.float32)
    return array[:, 0] if array.shape[1] == 1 else array


def _check_same(record: Record, point: np.ndarray, rung: int) -> None:
    if (record.point, record.rung) != (tuple(map(int, point)), rung):
        raise ValueError(
            f"line {record.index + 1} of the history holds point {list(record.point)} at rung {record.rung}, but this "
            f"search asks for {point.tolist()} at rung {rung}: its space, strategy, seed or version differs. Give it a --workdir of its own, or "
            "the config.json that lies beside the history."
        )
