"""Shared weights learn, tell cells apart, and go on after a stop as if there had been none."""

import numpy as np
import pytest

from scaling.spec import RunSpec
from scaling.training.checkpoints import saved_steps
from search.evaluators.shared_weights import SharedWeights
from search.spaces import nasbench201, transnas

pytestmark = pytest.mark.usefixtures("quick_compilation")

SPEC = RunSpec.from_config(
    {
        "model": {"base_width": 0.25, "base_depth": 0.2, "base_resolution": 8},
        "data": {"source": "digits", "test": ""},
        "optimizer": {"lr": 0.1, "lr_batch": 0},
        "train": {"batch": 32, "devices": 1},
    }
)
GOOD, NONE = np.array([3, 1, 2, 1, 2, 3]), np.zeros(6, np.int64)


def shared(directory) -> SharedWeights:
    return SharedWeights(nasbench201.SPACE, SPEC, directory, evaluations=6, steps=20, validation=128)


def test_shared_weights_learn_and_resume(tmp_path):
    evaluator = shared(tmp_path)
    before = list(evaluator([GOOD, NONE]))
    evaluator.save(2)
    after = list(evaluator([GOOD, NONE, GOOD, NONE]))
    assert all(found.status == "ok" for found in before + after)
    good, none = (np.mean([found.metrics["val_top1"] for found in after[i::2]]) for i in (0, 1))
    assert good > none + 0.2, "the shared weights do not tell a network from none"
    assert after[0].metrics["val_loss"] < before[0].metrics["val_loss"]
    assert next(evaluator([GOOD])).status == "failed", "more evaluations than steps were planned for"
    evaluator.restore(2)
    again = list(evaluator([GOOD, NONE, GOOD, NONE]))
    assert [found.metrics for found in again] == [found.metrics for found in after]
    assert saved_steps(tmp_path) == [2]
    with pytest.raises(ValueError, match="no intact state after 4 evaluations"):
        evaluator.restore(4)


def test_only_a_space_with_a_supernet_shares_weights(tmp_path):
    with pytest.raises(ValueError, match="no networks|no supernet"):
        SharedWeights(transnas.MICRO, SPEC, tmp_path, evaluations=1)
