"""ScheduledDropPath: paths are dropped ever more often, from never to at the network's own rates."""

import contextlib

import numpy as np
import pytest

from scaling.training.plan import make_plan
from scaling.training.runtime import Runtime


def first_loss(spec) -> float:
    runtime = Runtime(make_plan(spec))
    state = runtime.to_devices(runtime.first_state())
    with contextlib.closing(runtime.batches(0)) as batches:
        _, metrics = runtime.program(runtime.plan.phase(0))(state, next(batches), runtime.resident)
    return float(np.ravel(runtime.engine.unreplicate(metrics)["loss"])[0])


@pytest.mark.nightly
def test_the_first_step_drops_no_path_though_later_ones_will(make_spec):
    grows = {"model.drop_path_rate": 0.9, "schedule.drop_path": "linear"}
    assert first_loss(make_spec(grows)) == pytest.approx(
        first_loss(make_spec({"model.drop_path_rate": 0.0, "schedule.drop_path": "constant"})), rel=1e-5
    )


def test_rates_that_are_nothing_cannot_grow(make_spec):
    with pytest.raises(ValueError, match="schedule.drop_path='linear', but tiny drops no paths"):
        make_plan(make_spec({"schedule.drop_path": "linear"}))
