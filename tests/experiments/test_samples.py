"""The command draws what a generator makes, and says what a classifier thinks of it."""

import numpy as np
import pytest
from PIL import Image

from experiments import samples
from scaling.arch.arch import Arch
from scaling.arch.blocks import Conv
from scaling.arch.gan_heads import Adversarial
from scaling.arch.head import Head
from scaling.arch.stages import Stage
from scaling.runs.spec import RunSpec
from scaling.training import run
from scaling.training.progress import Silent

PAIR = Arch("pair", "tests", (), (Stage(Conv(), 4, stride=2),), Adversarial(3, (4,), 2), 8)
CLASSIFIER = PAIR.replace(name="classifier", head=Head())


@pytest.mark.nightly
def test_a_run_and_a_classifiers_view_of_it(tmp_path, capsys):
    archs = {"generation": PAIR, "classification": CLASSIFIER}
    for task, arch in archs.items():
        config = {
            "task": task,
            "model": {"arch": arch.to_dict()},
            "train": {"batch": 16, "duration": "2 steps", "devices": 1},
        }
        assert run(RunSpec.from_config(config), tmp_path / task, Silent()).status == "ok"
    words = [f"--run={tmp_path / 'generation'}", "--count=30"]
    samples.main([*words, f"--classifier={tmp_path / 'classification'}"])
    first, made, data, compared = capsys.readouterr().out.splitlines()
    assert first.startswith("30 samples of pair, step 2") and compared.startswith("coverage ")
    assert made.startswith("samples  confidence 0.") and data.startswith("data     confidence 0.")
    with Image.open(tmp_path / "generation" / "samples.png") as drawn:
        assert (
            len(np.unique(np.asarray(drawn))) > 2
        )  # the first kernels are narrow, so greys are few; and white
    with Image.open(tmp_path / "generation" / "pictures.png") as drawn:
        assert drawn.size[0] == drawn.size[1]
    with pytest.raises(ValueError, match="has no generator"):
        samples.main([f"--run={tmp_path / 'classification'}"])
