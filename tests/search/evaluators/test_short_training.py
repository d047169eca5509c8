"""A point trained by the universal program scores as it does trained by its own."""

import dataclasses

import numpy as np
import pytest

from scaling.runs.spec import RunSpec
from search.evaluators.short_training import BreakEven, ShortTraining
from search.spaces import nasbench201, transnas

SPEC = RunSpec.from_config(
    {
        "model": {"base_width": 0.25, "base_depth": 0.2, "base_resolution": 8},
        "data": {"source": "digits", "test": ""},
        "optimizer": {"lr": 0.05, "lr_batch": 0, "weight_decay": 1e-4},
        "train": {"batch": 32, "devices": 1, "duration": "12 steps", "steps_per_call": 1},
    }
)
POINTS = [np.array([3, 1, 2, 1, 0, 4]), np.zeros(6, np.int64)]


@pytest.mark.nightly
def test_one_program_trains_points_as_their_own_do():
    shared, own = (list(ShortTraining(nasbench201.SPACE, SPEC, way)(POINTS)) for way in (True, False))
    for one, two in zip(shared, own):
        assert (one.status, one.fidelity) == ("ok", "12 steps of digits at 8 px")
        assert one.metrics.keys() == two.metrics.keys()
        for name, value in two.metrics.items():
            assert one.metrics[name] == pytest.approx(value, rel=2e-3), name
    assert own[0].metrics["val_loss"] < own[1].metrics["val_loss"] - 0.1


def test_the_way_is_the_quicker_one_for_as_many_steps_and_candidates():
    measured = BreakEven(20.0, 0.2, 5.0, 0.1)
    assert measured.seconds(True, 10, 20) == pytest.approx(3.0)
    assert measured.choose(10, 20) and not measured.choose(100, 20) and not measured.choose(10, 4)


@pytest.mark.nightly
def test_auto_measures_and_a_bad_learning_rate_is_a_status():
    broken = dataclasses.replace(SPEC, optimizer=dataclasses.replace(SPEC.optimizer, lr=1e30))
    evaluator = ShortTraining(nasbench201.SPACE, broken, "auto", candidates=50)
    (found,) = evaluator(POINTS[1:])
    assert found.status == "nan"
    assert evaluator.universal in (True, False)
    assert evaluator.measured is not None and min(dataclasses.astuple(evaluator.measured)) > 0


def test_what_cannot_be_is_told():
    with pytest.raises(ValueError, match="no supernet"):
        ShortTraining(transnas.MICRO, SPEC, True)
    with pytest.raises(ValueError, match="candidates=0"):
        ShortTraining(nasbench201.SPACE, SPEC, candidates=0)
