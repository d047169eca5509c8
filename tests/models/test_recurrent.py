"""Long short-term memory: flax's own cell, nothing later is seen, the cost is counted."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

import scaling
from scaling.arch.arch import Arch
from scaling.arch.blocks import Lstm
from scaling.arch.picture_heads import Reconstruction
from scaling.arch.stages import Stage
from scaling.cost.closed_form import totals
from scaling.cost.counting import count
from scaling.models.blocks import MODULES
from scaling.models.layers import Settings

SQUARE = Arch("memory", "tests", (), (Stage(Lstm(), 4, 3),), Reconstruction(kernel=1), 7, 1, 2)


@pytest.mark.nightly
def test_it_is_flaxs_lstm_and_sees_nothing_later():
    module = MODULES[Lstm](Lstm(), 5, 1, Settings())
    x = jax.random.normal(jax.random.key(0), (2, 9, 1, 3))
    variables = jax.jit(module.init, static_argnums=2)(jax.random.key(1), x, False)
    run = jax.jit(lambda x: module.apply(variables, x, False))
    found = run(x)
    theirs = jax.jit(nn.RNN(nn.LSTMCell(5)).apply)({"params": {"cell": variables["params"]}}, x[:, :, 0])
    np.testing.assert_allclose(found[:, :, 0], theirs, rtol=1e-5, atol=1e-6)
    later = run(x.at[:, 5:].add(1))
    changed = np.any(np.asarray(later != found), (0, 2, 3))
    assert changed.tolist() == [False] * 5 + [True] * 4


def test_a_scan_over_time_is_counted_row_by_row_and_by_arithmetic():
    walked, sums = count(SQUARE), totals(SQUARE)
    for figure in ("params", "batch_stats", "macs", "activations"):
        assert getattr(sums, figure) == getattr(walked, figure), figure
    sequence = count(SQUARE.replace(columns=1))
    assert sequence.params == walked.params and walked.macs == 7 * sequence.macs
    assert count(SQUARE.replace(columns=1, resolution=14)).macs == 2 * sequence.macs


def test_its_layers_begin_apart_and_a_forget_gate_open():
    params = scaling.initialize(scaling.build(SQUARE), seed=0)["params"]["stages_0"]
    assert np.all(params["first"]["hf"]["bias"] == 1) and not np.any(params["first"]["hi"]["bias"])
    rest = params["rest"]["blocks"]["ii"]["kernel"]
    assert rest.shape == (2, 4, 4) and np.any(rest[0] != rest[1]) and np.abs(rest).max() <= 0.5


def test_the_baseline_is_of_the_dilated_networks_size():
    lstm, dilated = (scaling.get(f"voice_{name}") for name in ("lstm", "dilated"))
    params = {arch.name: totals(arch.replace(columns=None)).params for arch in (lstm, dilated)}
    assert 0.8 < params["voice_lstm"] / params["voice_dilated"] < 1.2
    deeper = scaling.compound(lstm, 1.0, 2.0, 1.5, 1.0)
    assert deeper.depth == 4 and deeper.widths == (72,)


def test_a_stride_is_refused():
    with pytest.raises(ValueError, match="stage 0 has stride 2, but a memory answers every row"):
        SQUARE.replace(stages=(Stage(Lstm(), 4, 1, 2),))


def test_a_memory_takes_the_compute_type():
    module = MODULES[Lstm](Lstm(), 5, 1, Settings(dtype=jnp.bfloat16))
    x = jnp.ones((1, 2, 1, 3))
    found = jax.eval_shape(lambda: module.init_with_output(jax.random.key(0), x, False)[0])
    assert found.dtype == jnp.bfloat16
