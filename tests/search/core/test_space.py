"""Spaces: what is valid is counted, ranked, sampled and moved in, and nothing else is."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from search.core import automaton
from search.core.neighbourhood import mutate, neighbours
from search.core.space import Space
from search.core.table import ranks
from search.spaces import nasbench201, nasbench_macro, transnas

SIZES = {
    "nasbench201": 15_625, "nasbench_macro": 6_561, "transnas_micro": 4_096, "transnas_macro": 3_256,
    "conditional": 14, "ragged": 420, "scattered": 4, "mixed": 24,
}  # fmt: skip


def enumerated(space: Space) -> np.ndarray:
    """The valid points among all vectors, by asking of each."""
    everything = np.array(list(itertools.product(*[range(space.values)] * space.length)), np.int32)
    return everything[np.asarray(jax.jit(jax.vmap(space.is_valid))(everything))]


def test_benchmarks_have_the_published_sizes():
    spaces = (nasbench201.SPACE, nasbench_macro.SPACE, transnas.MICRO, transnas.MACRO)
    assert [space.size for space in spaces] == [SIZES[space.name] for space in spaces]


def test_size_is_the_number_of_valid_vectors(space):
    assert space.size == SIZES[space.name]
    assert np.array_equal(space.points(), enumerated(space))
    assert np.array_equal(list(space.each()), enumerated(space))


def test_rank_and_unrank_count_the_points_in_order(space):
    points = jnp.asarray(space.points())
    assert np.array_equal(jax.jit(jax.vmap(space.rank))(points), np.arange(space.size))
    assert np.array_equal(jax.jit(jax.vmap(space.unrank))(jnp.arange(space.size)), points)
    assert np.array_equal(ranks(space, np.asarray(points)), np.arange(space.size))


def test_samples_are_uniform_over_the_valid_points(space):
    drawn = 20 * space.size
    points = jax.jit(jax.vmap(space.sample))(jax.random.split(jax.random.key(0), drawn))
    counts = np.bincount(ranks(space, np.asarray(points)), minlength=space.size)
    chi_squared = ((counts - 20) ** 2 / 20).sum()
    degrees = space.size - 1
    assert abs(chi_squared - degrees) < 5 * np.sqrt(2 * degrees)


def test_neighbours_are_valid_different_and_all_there(space):
    points = space.points()[:: max(1, space.size // 200)]
    found, counts = (np.asarray(x) for x in jax.jit(jax.vmap(lambda p: neighbours(space, p)))(points))
    valid = {tuple(p) for p in space.points().tolist()}
    for point, rows, kept in zip(points.tolist(), found, counts):
        near = [tuple(row) for row in rows[kept].tolist()]
        assert near and len(set(near)) == len(near)
        assert set(near) <= valid - {tuple(point)}
        one_change = {
            tuple(point[:i] + [v] + point[i + 1 :])
            for i, v in itertools.product(range(space.length), range(space.values))
        }
        assert (one_change & valid) - {tuple(point)} <= set(near)
        assert (rows[~kept] == point).all()


def test_a_mutant_is_valid_and_never_the_same_point(space):
    points = jnp.asarray(space.points())
    keys = jax.random.split(jax.random.key(1), space.size)
    mutants = jax.jit(jax.vmap(lambda k, p: mutate(space, k, p)))(keys, points)
    assert jax.jit(jax.vmap(space.is_valid))(mutants).all()
    assert (mutants != points).any(-1).all()


def test_mutation_takes_a_decision_first_and_then_a_value():
    space = Space("uneven", automaton.product([2, 7]))
    keys = jax.random.split(jax.random.key(0), 4000)
    mutants = jax.jit(jax.vmap(lambda k: mutate(space, k, jnp.zeros(2, jnp.int32))))(keys)
    assert abs(float((mutants[:, 0] == 1).mean()) - 0.5) < 0.04


def test_strings_come_back_as_the_same_point(space):
    for point in space.points()[:: max(1, space.size // 50)]:
        assert np.array_equal(space.from_string(space.to_string(point)), point)


def test_official_strings():
    cell = "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|"
    assert nasbench201.SPACE.to_string([4, 2, 1, 2, 1, 1]) == cell
    assert transnas.MICRO.to_string([1, 0, 2, 3, 3, 3]) == "64-41414-1_02_333"
    assert transnas.MACRO.to_string([1, 2, 3, 4, 0, 0]) == "64-1234-basic"
    assert nasbench_macro.SPACE.to_string([2, 2, 2, 1, 2, 2, 0, 2]) == "22212202"


@pytest.mark.parametrize("text", ["", "64-11-basic", "64-1111-basic", "64-1239-basic", "64-1234"])
def test_a_string_that_names_no_point_is_refused(text):
    with pytest.raises(ValueError, match="transnas_macro"):
        transnas.MACRO.from_string(text)


@pytest.mark.parametrize(
    ("point", "says"),
    [
        ([0, 1, 2], "decision 1 is 1, after [0] it must be one of [0]"),
        ([0, 0], "takes 3 decisions"),
        ([3, 0, 0], "one of [0, 1, 2]"),
        ([0, 0, -1], "decision 2 is -1"),
    ],
)
def test_errors_name_the_decision_and_what_it_may_be(point, says):
    from_conftest = automaton.from_rule(
        [3, 4, 3],
        None,
        lambda first, i, v: (v if i == 0 else first) if i != 1 or (v == 0) == (first == 0) else None,
        lambda state: True,
    )
    with pytest.raises(ValueError) as error:
        Space("switch", from_conftest).checked(point)
    assert says in str(error.value)


def test_an_invalid_point_stays_invalid():
    macro = transnas.MACRO
    invalid = [
        [1, 1, 1, 1, 0, 0],
        [1, 2, 3, 0, 4, 0],
        [1, 2, 3, 4, 0, 1],
        [0, 2, 3, 4, 0, 0],
        [1, 2, 3, 9, 0, 0],
    ]
    assert not jax.vmap(macro.is_valid)(jnp.array(invalid, jnp.int32)).any()


def test_a_space_without_a_choice_is_refused():
    with pytest.raises(ValueError, match="at least two"):
        Space("one", automaton.product([1, 1]))
    with pytest.raises(ValueError, match="loosen"):
        automaton.from_rule([2], 0, lambda state, i, v: 0, lambda state: False)


def test_large_spaces_sample_and_mutate_but_do_not_rank():
    space = Space("large", automaton.product([13] * 40))
    assert space.size == 13**40
    point = space.sample(jax.random.key(0))
    assert jax.jit(lambda p: space.is_valid(mutate(space, jax.random.key(1), p)))(point)
    for refused in (lambda: space.rank(point), space.points):
        with pytest.raises(ValueError, match="large"):
            refused()


def test_canonical_cells_are_the_benchmark_s_classes(shared):
    from search.core.table import read_rows

    rows = read_rows(shared / "data/nas/nasbench201.csv.gz")
    published = {tuple(map(int, row["arch"])): row["iso_class"] for row in rows}
    of_rank = nasbench201.SPACE.canonical_ranks
    pairs = {(c, published[tuple(p)]) for c, p in zip(of_rank.tolist(), nasbench201.SPACE.points().tolist())}
    assert len(pairs) == len(set(of_rank.tolist())) == len({iso for _, iso in pairs}) == 6_466


def test_there_are_6466_canonical_cells_and_each_is_its_own():
    space = nasbench201.SPACE
    assert len(np.unique(space.canonical_ranks)) == 6_466
    canonical = space.canonical([0, 0, 3, 0, 0, 0])  # node 1 is not fed, so brings nothing to node 2
    assert canonical.tolist() == [0] * 6
    assert np.array_equal(space.canonical(canonical), canonical)
    assert np.array_equal(transnas.MICRO.canonical([1, 2, 3, 0, 1, 2]), [1, 2, 3, 0, 1, 2])


def test_points_that_are_listed_make_the_same_automaton_as_the_rule():
    listed = Space("listed", automaton.from_points(transnas.MACRO.points().tolist()))
    assert np.array_equal(listed.points(), transnas.MACRO.points())
    assert listed.moves.shape[1] <= transnas.MACRO.moves.shape[1]
