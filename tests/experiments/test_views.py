"""The command draws every kind of view of pictures into one file."""

import numpy as np
import pytest
from PIL import Image

import scaling
from experiments import views
from scaling.models.initialize import initialize
from scaling.weights.files import save
from scaling.weights.preprocessing import Preprocessing


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    root = tmp_path_factory.mktemp("views")
    arch = scaling.get("lenet5").replace(num_classes=3, in_channels=3)
    record = Preprocessing(32, 1.0, "squash", "bilinear", (0.5,) * 3, (0.25,) * 3)
    save(root / "net.safetensors", arch, initialize(scaling.build(arch), 1), record, classes=("a", "b", "c"))
    for i in range(2):
        Image.fromarray(np.random.default_rng(i).integers(0, 256, (20, 30, 3), np.uint8)).save(
            root / f"{i}.png"
        )
    return [f"--weights={root / 'net.safetensors'}", str(root / "0.png"), str(root / "1.png")]


@pytest.mark.representatives("gradcam")
@pytest.mark.parametrize("kind", views.KINDS)
def test_a_row_of_panels_for_each_picture(words, kind, tmp_path, capsys):
    views.main([*words, f"--kind={kind}", f"--out={tmp_path / 'seen.png'}", "--side=16", "--channels=1"])
    assert f"2 pictures, {kind}" in capsys.readouterr().out
    with Image.open(tmp_path / "seen.png") as drawn:
        assert min(drawn.size) > 100 and len(np.unique(np.asarray(drawn))) > 10


def test_weights_that_take_no_pictures_are_refused(words, tmp_path):
    loaded = scaling.load(words[0].partition("=")[2])
    save(tmp_path / "bare.safetensors", loaded.arch, loaded.variables)
    with pytest.raises(ValueError, match="does not say how pictures"):
        views.main([f"--weights={tmp_path / 'bare.safetensors'}", words[1], f"--out={tmp_path / 'x.png'}"])
