"""A search space: a finite set of int32 vectors ("points"), one entry a decision.

A point of variable length is padded, and a decision that another one switches off holds one fixed value:
which values are allowed depends on the values before, by the automaton of `search/core/automaton.py`. The
methods that take or return jax arrays work on one point and may be jitted and vmapped.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np

from scaling.arch.arch import Arch
from search.core import automaton

MOST_RANKS = 2**31 - 1
MOST_ENUMERATED = 2**24


# A method on a point is compiled once for a space, also where it is called outside of jit.
_jitted = functools.partial(jax.jit, static_argnums=0, inline=True)


def digits(point: Sequence[int]) -> str:
    """Write a point as its numbers: "421211", or "10-2-3" where one has two digits."""
    return ("" if max(point) < 10 else "-").join(map(str, point))


def read_digits(text: str) -> list[int]:
    """Read what `digits` wrote."""
    return [int(part) for part in (text.split("-") if "-" in text else text)]


@dataclass(frozen=True, eq=False)
class Space:
    """A named set of points. `moves` [L, S, K] says which are valid (`search/core/automaton.py`).

    `write` and `read` are the official string of a point and back. Points that are the same network:
    `normal_form` maps each to the first of them, in a space of any size; `identity` to equal values, in one
    that can be listed; without both, all points differ. `network` is the architecture of a point, None where
    points have none (a table of anything). `universal` maps such an architecture, scaled or not, to the
    supernet of the space and the choice that makes it this network; None where there is no supernet.
    ValueError for a space of one point.
    """

    name: str
    moves: np.ndarray = field(repr=False)
    write: Callable[[Sequence[int]], str] = field(default=digits, repr=False)
    read: Callable[[str], Sequence[int]] = field(default=read_digits, repr=False)
    identity: Callable[[Sequence[int]], Hashable] | None = field(default=None, repr=False)
    network: Callable[[Sequence[int]], Arch] | None = field(default=None, repr=False)
    normal_form: Callable[[Sequence[int]], Sequence[int]] | None = field(default=None, repr=False)
    universal: Callable[[Arch], tuple[Arch, dict[str, list[int]]] | None] | None = field(
        default=None, repr=False
    )

    def __post_init__(self):
        if self.size < 2:
            raise ValueError(f"space {self.name!r} has {self.size} point: a search needs at least two.")

    @property
    def length(self) -> int:
        """The number of decisions, L."""
        return self.moves.shape[0]

    @property
    def values(self) -> int:
        """The number of values of the decision that has most, K."""
        return self.moves.shape[2]

    @functools.cached_property
    def cardinalities(self) -> tuple[int, ...]:
        """The number of values that each decision can take somewhere in the space."""
        return tuple(int(n) for n in (self.moves >= 0).any(1).sum(-1))

    @functools.cached_property
    def completions(self) -> np.ndarray:
        """How many valid points pass each move, counted from its state on: [L, S, K], exact."""
        return automaton.completions(self.moves)

    @functools.cached_property
    def size(self) -> int:
        """The number of valid points."""
        return int(self.completions[0, 0].sum())

    @functools.cached_property
    def ranks_passed(self) -> np.ndarray:
        """How many points lie before each move's first one, below the same prefix: [L, S, K]."""
        self.require_ranks()
        counts = self.completions
        return (np.cumsum(counts, axis=-1) - counts).astype(np.int32)

    def require_ranks(self) -> None:
        """Raise ValueError where there are more points than an int32 can count."""
        if self.size > MOST_RANKS:
            raise ValueError(
                f"space {self.name!r} has {self.size} points, more than ranks can count ({MOST_RANKS}): "
                "use what samples and mutates, not what enumerates."
            )

    @property
    def start(self) -> jax.Array:
        """The state before the first decision."""
        return jnp.int32(0)

    def allowed(self, decision: jax.Array, state: jax.Array) -> jax.Array:
        """Which values may come next, bool [K]."""
        return jnp.asarray(self.moves)[decision, state] >= 0

    def advance(self, decision: jax.Array, state: jax.Array, value: jax.Array) -> jax.Array:
        """The state after a value; negative after one that is not allowed, and from then on."""
        within = (value >= 0) & (value < self.values) & (state >= 0)
        after = jnp.asarray(self.moves)[decision, jnp.maximum(state, 0), jnp.clip(value, 0, self.values - 1)]
        return jnp.where(within, after, -1)

    @_jitted
    def states(self, point: jax.Array) -> jax.Array:
        """The state before each decision, and after the last: int32 [L + 1]."""

        def step(state, at):
            after = self.advance(at[0], state, at[1])
            return after, after

        _, after = jax.lax.scan(step, self.start, (self._decisions, point))
        return jnp.concatenate([self.start[None], after])

    @_jitted
    def is_valid(self, point: jax.Array) -> jax.Array:
        """Whether the point is in the space, a bool."""
        return self.states(point)[-1] >= 0

    @_jitted
    def sample(self, key: jax.Array) -> jax.Array:
        """Draw a valid point, each with the same probability."""
        weights = jnp.asarray(self._log_completions)

        def step(state, at):
            decision, noise = at
            value = jnp.argmax(weights[decision, state] + noise).astype(jnp.int32)
            return self.advance(decision, state, value), value

        noise = jax.random.gumbel(key, (self.length, self.values))
        return jax.lax.scan(step, self.start, (self._decisions, noise))[1]

    @_jitted
    def rank(self, point: jax.Array) -> jax.Array:
        """The number of valid points that come before this one in the order of their entries, int32.

        ValueError where the space has more points than an int32 can count.
        """
        before = self.states(point)[:-1]
        return jnp.asarray(self.ranks_passed)[self._decisions, before, point].sum(dtype=jnp.int32)

    @_jitted
    def unrank(self, rank: jax.Array) -> jax.Array:
        """The point of a rank."""
        passed, moves = jnp.asarray(self.ranks_passed), jnp.asarray(self.moves)

        def step(carry, decision):
            state, left = carry
            reached = (passed[decision, state] <= left) & (moves[decision, state] >= 0)
            value = (self.values - 1 - jnp.argmax(reached[::-1])).astype(jnp.int32)
            return (moves[decision, state, value], left - passed[decision, state, value]), value

        carry = (self.start, jnp.int32(rank))
        return jax.lax.scan(step, carry, self._decisions)[1]

    def point_of(self, rank: int) -> np.ndarray:
        """The point of a rank, on the host."""
        return np.asarray(self.unrank(jnp.int32(rank)))

    def points(self) -> np.ndarray:
        """All points in the order of their ranks, int32 [size, L]; ValueError where there are too many."""
        if self.size > MOST_ENUMERATED:
            raise ValueError(
                f"space {self.name!r} has {self.size} points, too many to list (at most {MOST_ENUMERATED}): "
                "sample it instead."
            )
        states, listed = np.zeros(1, np.int32), np.zeros((1, 0), np.int32)
        for moves in self.moves:
            which, value = np.nonzero(moves[states] >= 0)
            listed = np.concatenate([listed[which], value[:, None].astype(np.int32)], axis=1)
            states = moves[states[which], value]
        return listed

    def each(self) -> Iterator[tuple[int, ...]]:
        """All points in the order of their ranks, one after another, so in a space of any size."""

        def after(state: int, point: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
            if len(point) == self.length:
                yield point
                return
            moves = self.moves[len(point), state]
            for value in np.flatnonzero(moves >= 0).tolist():
                yield from after(int(moves[value]), (*point, value))

        return after(0, ())

    def to_string(self, point: Sequence[int] | np.ndarray | jax.Array) -> str:
        """The point's official string."""
        return self.write([int(value) for value in self.checked(point)])

    def from_string(self, text: str) -> np.ndarray:
        """The point that an official string names; ValueError where it names none of this space."""
        try:
            point = self.read(text)
        except (ValueError, KeyError, IndexError) as error:
            raise ValueError(
                f"{text!r} is not a point of space {self.name!r}: one is written {self._example!r}."
            ) from error
        return self.checked(point)

    def checked(self, point: Sequence[int] | np.ndarray | jax.Array) -> np.ndarray:
        """Return the point as int32 [L]; ValueError, naming the value at fault, where it is not valid."""
        given = np.asarray(point)
        if given.shape != (self.length,):
            raise ValueError(
                f"{given.tolist()} is not a point of space {self.name!r}: it takes {self.length} decisions."
            )
        state = 0
        for i, value in enumerate(given):
            allowed = np.flatnonzero(self.moves[i, state] >= 0).tolist()
            if value not in allowed:
                raise ValueError(
                    f"{given.tolist()} is not in space {self.name!r}: decision {i} is {value}, "
                    f"after {given[:i].tolist()} it must be one of {allowed}."
                )
            state = self.moves[i, state, int(value)]
        return given.astype(np.int32)

    def decode(self, point: Sequence[int] | np.ndarray | jax.Array) -> Arch:
        """The network of a point; ValueError where the point is not valid, or the space has no networks."""
        if self.network is None:
            raise ValueError(
                f"space {self.name!r} has no networks, only points: search it with a tabular evaluator."
            )
        return self.network([int(value) for value in self.checked(point)])

    @functools.cached_property
    def canonical_ranks(self) -> np.ndarray:
        """For every rank the least rank of the points that are the same network, int32 [size]."""
        same_network = self.identity or self.normal_form
        if same_network is None:
            return np.arange(self.size, dtype=np.int32)
        first: dict[Hashable, int] = {}
        keys = (same_network(point) for point in self.points().tolist())
        same = (first.setdefault(_hashable(key), i) for i, key in enumerate(keys))
        return np.fromiter(same, np.int32, self.size)

    def canonical(self, point: Sequence[int] | np.ndarray | jax.Array) -> np.ndarray:
        """The first point, in the order of their entries, that is the same network."""
        given = self.checked(point)
        if self.normal_form is not None:
            return self.checked(self.normal_form([int(value) for value in given]))
        if self.identity is None:
            return given
        return self.point_of(self.canonical_ranks[int(self.rank(jnp.asarray(given)))])

    @property
    def _decisions(self) -> jax.Array:
        return jnp.arange(self.length, dtype=jnp.int32)

    @property
    def _example(self) -> str:
        return self.write([int(value) for value in self.sample(jax.random.key(0))])

    @functools.cached_property
    def _log_completions(self) -> np.ndarray:
        """The log of each move's share of its state's completions, which may be too many for a float."""
        shares = np.full(self.moves.shape, -np.inf, np.float32)
        for i, state in np.ndindex(self.moves.shape[:2]):
            total = sum(self.completions[i, state])
            for value in np.flatnonzero(self.moves[i, state] >= 0):
                shares[i, state, value] = math.log(self.completions[i, state, value] / total)
        return shares


def _hashable(key: Hashable | list[int]) -> Hashable:
    return tuple(key) if isinstance(key, list) else key
