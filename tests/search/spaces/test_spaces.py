"""Every space of the catalogue keeps the laws of spaces, and decodes to networks that count and build."""

from __future__ import annotations

import csv
import functools
import gzip
import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scaling import zoo
from scaling.arch.arch import Arch
from scaling.cost.closed_form import totals
from scaling.cost.counting import count
from scaling.models.initialize import abstract_variables
from scaling.models.network import Network
from scaling.zoo import amoebanet, enas
from scaling.zoo import nasnet as cells
from search.core import automaton
from search.core.neighbourhood import mutate, neighbours
from search.core.space import Space
from search.spaces import catalogue, mnasnet, nasbench201, nasbench_macro, nasnet, transnas
from search.spaces.cell_graph import Graph

SMALL_CELLS = {"filters": 4, "repeats": [1, 1, 1]}
SETTINGS = {
    "nasbench201": {"filters": 4, "repeats": 1},
    "nasnet": {"blocks": 2, **SMALL_CELLS},
    "nasnet_chosen": {"blocks": 2, "operations": ["skip", "sep_3x3"], "leaving": "chosen", **SMALL_CELLS},
    "nasnet_all": {"blocks": 2, "operations": ["skip", "sep_3x3"], "leaving": "all", **SMALL_CELLS},
    "nasnet_enas": {"blocks": 2, "operations": "enas", "skeleton": "enas", **SMALL_CELLS},
    "mnasnet": {},
    "mnasnet_v2": {"base": "mobilenetv2_100", "skips": False},
    "stages": {"base": "resnet18", "rising": True},
    "stages_dense": {"base": "densenet121", "widths": [0.5, 1, 2], "depths": [0.5, 1]},
    "nasbench_macro": {},
    "transnas_micro": {},
    "transnas_macro": {},
}
SPACES = {name: catalogue.named(min((n for n in catalogue.SPACES if name.startswith(n)), key=len), **settings)
          for name, settings in SETTINGS.items()}  # fmt: skip
# Its published rule drops operations that bring nothing
SAME_FUNCTION_ONLY = ("nasbench201",)


VARIANTS = ("nasnet_enas", "mnasnet_v2", "stages_dense")


@pytest.fixture(
    params=[pytest.param(name, marks=pytest.mark.nightly if name in VARIANTS else ()) for name in SPACES]
)
def member(request) -> Space:
    return SPACES[request.param]


@functools.cache
def sampled(space: Space, number: int = 64) -> np.ndarray:
    keys = jax.random.split(jax.random.key(0), number)
    return np.asarray(jax.jit(jax.vmap(space.sample))(keys))


def test_samples_are_valid_and_many(member):
    points = sampled(member)
    for point in points:
        member.checked(point)
    assert len(np.unique(points, axis=0)) > 50


def states_before(space: Space, point: np.ndarray) -> list[int]:
    """The automaton's state before each decision."""
    states = [0]
    for moves, value in zip(space.moves, point):
        states.append(int(moves[states[-1], value]))
    return states[:-1]


def test_shares_of_each_state_s_moves_are_exact(member):
    """Uniform over points: a move's probability is its share of the endings, whatever the size."""
    shares = np.exp(member._log_completions.astype(float))
    used = (member.moves >= 0).any(-1)
    np.testing.assert_allclose(shares.sum(-1)[used], 1, rtol=1e-6)
    point = sampled(member)[0]
    states = states_before(member, point)
    logs = [float(member._log_completions[i, s, v]) for i, (s, v) in enumerate(zip(states, point))]
    assert sum(logs) == pytest.approx(-math.log(member.size), rel=1e-5)


@pytest.mark.representatives(3)
def test_mutants_are_valid_and_changed(member):
    points = sampled(member)
    keys = jax.random.split(jax.random.key(1), len(points))
    mutants = np.asarray(jax.jit(jax.vmap(lambda key, point: mutate(member, key, point)))(keys, points))
    for mutant in mutants:
        member.checked(mutant)
    assert (mutants != points).any(-1).all()


def test_neighbours_change_one_decision_and_what_it_forbids(member):
    point = sampled(member)[0]
    rows, kept = (np.asarray(x) for x in jax.jit(lambda p: neighbours(member, p))(jnp.asarray(point)))
    assert len(np.unique(rows[kept], axis=0)) == kept.sum() > 0
    for number in np.flatnonzero(kept):
        decision, value = divmod(int(number), member.values)
        row = member.checked(rows[number])
        assert row[decision] == value != point[decision]
        assert (row[:decision] == point[:decision]).all()
        later = np.flatnonzero(row != point)
        for changed in later[later > decision]:  # only where the old value is forbidden now
            assert member.moves[changed, states_before(member, row)[changed], point[changed]] < 0


def test_strings_come_back(member):
    texts = set()
    points = np.unique(sampled(member), axis=0)
    for point in points:
        text = member.to_string(point)
        assert np.array_equal(member.from_string(text), point)
        texts.add(text)
    assert len(texts) == len(points)
    with pytest.raises(ValueError, match=member.name):
        member.from_string("nothing")


def test_the_canonical_point_is_valid_and_its_own(member):
    for point in sampled(member):
        canonical = member.canonical(point)
        assert np.array_equal(member.canonical(canonical), canonical)
        if member.normal_form is not None:
            assert canonical.tolist() <= point.tolist()


def test_ranks_agree_with_the_normal_form():
    space = nasbench_macro.SPACE
    points = space.points()
    for rank in range(0, space.size, 97):
        assert np.array_equal(points[space.canonical_ranks[rank]], space.canonical(points[rank]))


def cost_of(arch: Arch):
    """By arithmetic, which tests/cost holds equal to the count, or else by the count."""
    return totals(arch) or count(arch)


@pytest.mark.representatives(4)
def test_networks_count_and_build(member):
    """The canonical point costs the same, and the variables are as many as counted."""
    point = sampled(member)[1]
    arch = member.decode(point)
    cost = cost_of(arch)
    variables = abstract_variables(Network(arch), arch.resolution, arch.in_channels)
    assert sum(leaf.size for leaf in jax.tree.leaves(variables["params"])) == cost.params > 0
    canonical = member.canonical(point)
    if not np.array_equal(canonical, point) and member.name not in SAME_FUNCTION_ONLY:
        other = cost_of(member.decode(canonical))
        assert (other.params, other.macs) == (cost.params, cost.macs)


def test_cells_whose_reduction_strides_dilated_windows_build():
    operations = ["squeezed_dil_3x3", "dil_3x3"]
    space = catalogue.named("nasnet", blocks=1, operations=operations, leaving="all", **SMALL_CELLS)
    arch = space.decode([0, 0, 1, 1, 0, 0, 1, 1])
    supernet, _ = space.universal(arch)
    assert all(abstract_variables(Network(built), 32, 3)["params"] for built in (arch, supernet))


def test_unknown_names_and_settings_are_refused():
    with pytest.raises(KeyError, match="did you mean 'nasnet'"):
        catalogue.named("nasnett")
    with pytest.raises(ValueError, match="wings"):
        catalogue.named("nasbench201", wings=2)
    for wrong in ({"operations": "enass"}, {"operations": ["sep_9x9"]}, {"leaving": "none"}, {"blocks": 0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            catalogue.named("nasnet", **wrong)
    with pytest.raises(ValueError, match="each once"):
        catalogue.named("mnasnet", kernels=[3, 3])
    with pytest.raises(ValueError, match="leave 1 out"):
        catalogue.named("mnasnet", expands=[1, 6])
    with pytest.raises(ValueError, match="MBConv"):
        catalogue.named("mnasnet", base="resnet18")


def test_the_published_cells_are_points():
    language = nasnet.language(leaving="chosen", skeleton="mobile")
    mobile = nasnet.space(language)
    point = language.encode(cells.NORMAL, cells.REDUCTION)
    assert mobile.decode(point).replace(name="nasnetamobile") == zoo.get("nasnetamobile")
    evolved = nasnet.space(language, filters=50, repeats=[4, 4, 4])
    arch = evolved.decode(language.encode(amoebanet.NORMAL, amoebanet.REDUCTION))
    published = zoo.get("amoebanet_a_4_50")
    assert (arch.stem, arch.stages) == (published.stem, published.stages)
    numbers = [int(word) for word in f"{enas.NORMAL} {enas.REDUCTION}".split()]
    small = catalogue.named("nasnet", operations="enas", skeleton="enas")
    assert small.decode(numbers).replace(name="enas_micro") == zoo.get("enas_micro")
    with pytest.raises(ValueError, match="leaving='chosen'"):
        nasnet.language().encode(cells.NORMAL, cells.REDUCTION)


def test_the_sizes_of_the_cell_spaces():
    blocks = math.prod(range(2, 7)) ** 2
    assert catalogue.named("nasnet").size == (blocks * 13**10) ** 2
    assert catalogue.named("nasnet", operations="enas").size == (blocks * 5**10) ** 2
    assert len(set(nasnet.OPERATION_SETS["nasnet"])) == 13


def test_the_first_cell_is_the_least_of_all_orders():
    language = nasnet.language(4, ["skip", "max_3x3"], "chosen")
    for point in sampled(nasnet.space(language)).tolist():
        for graph in language.graphs(point):
            assert graph.first() == _least(graph)


def _least(graph: Graph) -> Graph:
    """The least by trying every order of the blocks."""
    possible = []
    for order in itertools.permutations(graph.states):
        places = graph._places(order)
        after = all(places[s] < places[at] for at, b in zip(graph.states, graph.blocks) for s, _ in b)
        possible += [graph._ordered(order)] if after else []
    return min(possible, key=Graph._key)


def test_large_spaces_sample_where_counts_exceed_floats():
    space = Space("huge", automaton.product([13] * 280))
    assert space.size > 10**308 and not np.isnan(space._log_completions).any()
    values = np.bincount(sampled(space, 50).ravel(), minlength=13)
    assert ((values - 14_000 / 13) ** 2 / (14_000 / 13)).sum() < 50


def test_efficientnet_b0_is_a_point_in_timm_s_words():
    macro = mnasnet.Macro()
    space, b0 = mnasnet.space(macro), zoo.get("efficientnet_b0")
    point = macro.encode(b0)
    assert space.decode(point).replace(name=b0.name, source=b0.source) == b0
    words = [
        "ds_r1_k3_s1_e1_c16_se0.25", "ir_r2_k3_s2_e6_c24_se0.25", "ir_r2_k5_s2_e6_c40_se0.25",
        "ir_r3_k3_s2_e6_c80_se0.25", "ir_r3_k5_s1_e6_c112_se0.25", "ir_r4_k5_s2_e6_c192_se0.25",
        "ir_r1_k3_s1_e6_c320_se0.25",
    ]  # fmt: skip
    assert space.to_string(point) == ",".join(words)


def test_macro_points_are_different_networks():
    space = SPACES["mnasnet"]
    points = {tuple(row) for row in sampled(space, 300).tolist()}
    points |= {tuple(row) for row in np.asarray(neighbours(space, jnp.asarray(min(points)))[0]).tolist()}
    assert len({space.decode(point).stages for point in points}) == len(points) > 300


def test_rising_widths_rise():
    space = SPACES["stages"]
    for point in sampled(space):
        widths = space.decode(point).widths
        assert list(widths) == sorted(widths)


def test_nasbench_macro_networks_have_the_benchmark_s_costs(shared):
    """Its multiply-adds leave out the classifier's ten biases; identities may stand anywhere in a stage."""
    with gzip.open(shared / "data/nas/nasbench_macro.csv.gz", "rt") as file:
        rows = {row["arch"]: row for row in csv.DictReader(file)}
    space = nasbench_macro.SPACE
    for text in list(rows)[:: len(rows) // 6]:
        cost = count(space.decode(space.from_string(text)))
        assert (cost.params, cost.macs) == (int(rows[text]["params"]), int(rows[text]["flops"]) + 10)
    for text, row in rows.items():
        same = rows[space.write(nasbench_macro.first([int(digit) for digit in text]))]
        assert (same["mean_acc"], same["params"]) == (row["mean_acc"], row["params"])
    assert len(np.unique(space.canonical_ranks)) == 9 * 21 * 21


@pytest.mark.parametrize("name", ["transnas_micro", "transnas_macro"])
def test_transnas_networks_have_naslib_s_parameters(shared, name):
    """NASLib's figures have six digits."""
    with gzip.open(shared / "data/nas/zero_cost_subset.csv.gz", "rt") as file:
        rows = [r for r in csv.DictReader(file) if (r["space"], r["dataset"]) == (name, "class_scene")]
    space = {"transnas_micro": transnas.MICRO, "transnas_macro": transnas.MACRO}[name]
    for row in rows[:: len(rows) // 3]:
        digits = [int(digit) for digit in row["arch"]]
        arch = space.decode(digits + [0] * (space.length - len(digits)))
        params = count(arch).params / 1e6
        assert params == pytest.approx(float(row["params"]), rel=5e-6)


FIXED, OF_3X3, OF_1X1, REPEATS = 73_306, 243_040, 28_000, 5


def check_law(point: list[int], repeats: int = REPEATS) -> None:
    """A cell's parameters follow from its 3x3 and 1x1 convolutions, in each of so many cells a stage."""
    threes, ones = point.count(3), point.count(2)
    convolutions = (OF_3X3 * threes + OF_1X1 * ones) * repeats // REPEATS
    assert count(CELLS[repeats].decode(point)).params == FIXED + convolutions


CELLS = {REPEATS: nasbench201.SPACE, 1: nasbench201.space(repeats=1)}


@pytest.mark.nightly
def test_the_law_of_nasbench201_s_parameters():
    points = nasbench201.SPACE.points()
    for point in points[:: len(points) // 12].tolist():
        check_law(point, repeats=1)
    for point in points[:: len(points) // 2].tolist():
        check_law(point)


@pytest.mark.exhaustive
@pytest.mark.parametrize("first", range(5))
def test_the_law_holds_for_all_cells(first):
    """With one cell a stage, which is quick to count: 24 minutes of CPU time in all."""
    for point in nasbench201.SPACE.points()[first * 3125 : (first + 1) * 3125].tolist():
        check_law(point, repeats=1)


THREE = ("skip_connect", "nor_conv_1x1", "nor_conv_3x3")


def test_cells_of_fewer_operations_are_those_of_the_whole_space():
    few = nasbench201.space(filters=4, repeats=1, operations=THREE)
    assert (few.size, len(set(few.canonical_ranks.tolist()))) == (729, 496)
    for point in few.points()[::91]:
        text = few.to_string(point)
        assert nasbench201.read(text) == [value + 1 for value in point]
        np.testing.assert_array_equal(few.from_string(text), point)
    supernet, choice = few.universal(few.decode([2, 0, 1, 2, 1, 0]))
    assert choice == {"cell_0": [2, 0, 1, 2, 1, 0]}
    assert {edge for stage in supernet.stages[::2] for edges in stage.block.edges for edge in [edges]} == {
        ("skip", "conv_1x1", "conv_3x3")
    }
    with pytest.raises(ValueError, match=r"operations=\['conv'\] must be different ones of none, "):
        nasbench201.space(operations=["conv"])
    with pytest.raises(ValueError, match="must be different ones"):
        nasbench201.space(operations=[*THREE, "none", "none"])
