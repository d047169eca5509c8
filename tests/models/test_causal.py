"""Windows over time: nothing later is seen, the reach is that of the dilations, the cost is counted."""

import jax
import numpy as np
import pytest

import scaling
from scaling.arch.arch import Arch
from scaling.arch.blocks import Causal
from scaling.arch.picture_heads import Reconstruction
from scaling.arch.stages import Stage
from scaling.cost.closed_form import totals
from scaling.cost.counting import count


def voice(*dilations: int, gated: bool = True, columns: int | None = 1) -> Arch:
    stages = tuple(Stage(Causal(3, dilation, gated), 4, 2) for dilation in dilations)
    sizes = {"resolution": 40, "num_classes": 1, "in_channels": 2, "columns": columns}
    return Arch("voice", "tests", (Stage(Causal(1), 4),), stages, Reconstruction(kernel=1), **sizes)


@pytest.mark.representatives(1)
@pytest.mark.parametrize("gated", [True, False])
def test_an_output_depends_on_the_rows_that_its_windows_reach_and_on_none_later(gated):
    arch = voice(1, 3, gated=gated)
    net = scaling.build(arch)
    variables = scaling.initialize(net, seed=0)
    frames = jax.random.normal(jax.random.key(0), (1, 40, 1, 2))
    told = lambda x: net.apply(variables, x)["out"][0, 30, 0, 0]
    seen = np.flatnonzero(np.abs(np.asarray(jax.jit(jax.grad(told))(frames))).max((0, 2, 3)))
    reach = sum(2 * stage.block.reach for stage in arch.stages)
    assert seen.max() == 30 and seen.min() == 30 - reach == 14


def test_a_sequence_is_counted_by_its_one_column():
    one, square = count(voice(1, 2)), count(voice(1, 2, columns=None))
    assert square.params == one.params and square.macs == 40 * one.macs and totals(voice(1, 2)) is None
    sums = totals(voice(1, 2, columns=None))
    for figure in ("params", "batch_stats", "macs", "activations"):
        assert getattr(sums, figure) == getattr(square, figure), figure


def test_a_sequence_survives_json_and_scales():
    arch = voice(1, 2)
    assert Arch.from_json(arch.to_json()) == arch and arch.input_shape == (40, 1, 2)
    assert "columns" not in scaling.get("lenet5").to_json()
    larger = scaling.compound(scaling.get("voice_dilated"), 1.0, 2.0, 1.5, 1.0)
    assert larger.depth == 2 * scaling.get("voice_dilated").depth and larger.columns == 1


def test_the_dilated_twin_has_the_same_size_and_reaches_further():
    dilated, plain = (scaling.get(f"voice_{name}") for name in ("dilated", "plain"))
    assert count(dilated).params == count(plain).params and count(dilated).macs == count(plain).macs
    reach = lambda arch: sum(stage.block.reach for stage in arch.stages)
    assert reach(dilated) == 64 and reach(plain) == 12


@pytest.mark.parametrize("block, stride", [(Causal(0), 1), (Causal(3, 0), 1), (Causal(3), 2)])
def test_a_window_that_cannot_be_is_refused(block, stride):
    with pytest.raises(ValueError, match=r"stage 0 (needs a kernel|has stride 2)"):
        Arch("voice", "tests", (), (Stage(block, 4, 1, stride),), Reconstruction(kernel=1), 40)
