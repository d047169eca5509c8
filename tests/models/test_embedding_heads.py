"""The head that answers a point on the unit sphere: its length, its cosines, the cost that is counted."""

import jax
import numpy as np
import pytest

import scaling
from scaling.arch.arch import Arch
from scaling.arch.blocks import Conv
from scaling.arch.embedding_heads import Embedding
from scaling.arch.stages import Stage
from scaling.cost.closed_form import totals
from scaling.cost.counting import count

SMALL = Arch("small", "tests", (Stage(Conv(), 4, stride=2),), (Stage(Conv(), 6),), Embedding(), 12, 3)


def test_vectors_have_length_1_and_cosines_are_those_of_the_products():
    net = scaling.build(SMALL.replace(head=Embedding(5, 2, True)))
    images = jax.random.normal(jax.random.key(1), (2, 12, 12, 3))
    variables = scaling.initialize(net, seed=0)
    found = jax.jit(lambda v: net.apply(v, images))(variables)
    np.testing.assert_allclose(np.linalg.norm(found["embedding"], axis=-1), 1, rtol=1e-5)
    classes = np.asarray(variables["params"]["decoder"]["classes"])
    expected = found["embedding"] @ (classes / np.linalg.norm(classes, axis=0))
    np.testing.assert_allclose(found["cosines"], expected, rtol=1e-4, atol=1e-6)
    ratio = np.asarray(found["logits"] / found["cosines"]) / np.linalg.norm(classes, axis=0)
    np.testing.assert_allclose(ratio, ratio[:, :1].repeat(3, 1), rtol=1e-3)


@pytest.mark.parametrize("head", [Embedding(), Embedding(5, 2), Embedding(5, 1, True)], ids=str)
def test_it_costs_what_is_counted(head):
    arch = SMALL.replace(head=head)
    walked, sums = count(arch), totals(arch)
    for figure in ("params", "batch_stats", "macs", "activations"):
        assert getattr(sums, figure) == getattr(walked, figure), figure


def test_a_head_without_a_size_is_refused():
    with pytest.raises(ValueError, match="needs a size and a grid of at least 1, not 0 and 1"):
        SMALL.replace(head=Embedding(0))
