"""A run that gives every pixel a class: it learns, its row has intervals, three examples are drawn."""

import io

import numpy as np
import pytest
from PIL import Image

from experiments import evaluate
from scaling.arch.map_heads import Fcn
from scaling.runs.workdir import PICTURES
from scaling.training.loop import run
from scaling.training.pictures import PANEL, choose, sheet
from scaling.training.scoring import score

EASY = {"optimizer.lr": 0.3, "train.batch": 8, "train.duration": "30 epochs", "train.eval_every": "30 epochs"}
EASY |= {"train.ema": 0.0, "train.checkpoint_every": "30 epochs", "augment.flip": True}


@pytest.fixture
def pixels(tmp_path, tiny_arch, make_spec):
    """Return the spec of a run on noise whose bright half is class 1."""
    rng, arrays = np.random.default_rng(0), {}
    for split, count in (("train", 40), ("test", 10)):
        masks = np.stack(
            [np.roll(np.repeat([[0, 1]], 8, 0).repeat(4, 1), rng.integers(8), 1) for _ in range(count)]
        )
        arrays[f"{split}_image"] = (60 + 120 * masks + rng.integers(0, 40, masks.shape)).astype(np.uint8)
        arrays[f"{split}_mask"] = masks
    np.savez(tmp_path / "set.npz", **arrays)
    arch = tiny_arch.replace(head=Fcn(width=4), drop_rate=0.0)
    data = {"data.source": "npz", "data.dir": str(tmp_path / "set.npz"), "data.limit": None}
    return make_spec({**EASY, **data, "task": "segmentation", "model.arch": arch.to_dict()})


def test_a_run_learns_and_shows_what_it_learnt(pixels, tmp_path):
    row = run(pixels, tmp_path / "run")
    assert row.status == "ok" and row.metrics["test_miou"] > 0.6
    assert {f"test_{name}_margin" for name in ("miou", "pa", "mpa")} < set(row.metrics)
    with Image.open(tmp_path / "run" / PICTURES) as image:
        assert image.format == "PNG" and image.width >= 3 * PANEL and image.height >= 3 * PANEL
    scored = score(tmp_path / "run", pixels, sheet=tmp_path / "again.png")
    assert (scored.examples, scored.step) == (10, row.steps)
    for name, value in scored.models["raw"].items():
        assert row.metrics[f"test_{name}"] == pytest.approx(value, abs=1e-6), name
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "run" / PICTURES).read_bytes()
    evaluate.main([f"--run={tmp_path / 'run'}", f"--out={tmp_path / 'out'}", "--split=train"])
    text = (tmp_path / "out" / "evaluation.md").read_text()
    assert "| miou | 0." in text and "40 images" in text and "segmentation on train" in text
    with pytest.raises(ValueError, match="no 'ema' weights"):
        evaluate.main([f"--run={tmp_path / 'run'}", f"--out={tmp_path / 'out'}", "--weights=ema"])


@pytest.mark.nightly
def test_data_with_other_classes_is_not_scored(pixels, tmp_path):
    run(pixels.revised({"train.duration": "1 epochs"}), tmp_path / "run")
    arrays = dict(np.load(tmp_path / "set.npz"))
    np.savez(tmp_path / "other.npz", **arrays, label_names=np.array(["left", "right"]))
    other = pixels.revised({"data.dir": str(tmp_path / "other.npz")})
    with pytest.raises(ValueError, match="the data has the classes left, right"):
        score(tmp_path / "run", other)


ALIKE = [
    {"train.devices": 4, "train.engine": "jit"},
    pytest.param({"train.engine": "jit"}, marks=pytest.mark.exhaustive),
    pytest.param({"train.devices": 2}, marks=pytest.mark.exhaustive),
]


@pytest.mark.nightly
@pytest.mark.parametrize("changes", ALIKE, ids=str)
def test_devices_and_engines_agree(pixels, changes, tmp_path):
    short = {"train.duration": "2 epochs", "train.batch_norm": "synced", "train.pictures": False}
    one, other = (run(pixels.revised(short | more), tmp_path / str(len(more))) for more in ({}, changes))
    assert one.metrics.keys() == other.metrics.keys() and not (tmp_path / "0" / PICTURES).exists()
    for name, value in one.metrics.items():
        assert other.metrics[name] == pytest.approx(value, abs=0.02), name
    assert other.train_loss == pytest.approx(one.train_loss, rel=1e-3)


def test_the_best_the_median_and_the_worst_are_chosen():
    assert choose(np.array([0.5, 0.9, 0.1, 0.7, 0.3])) == {
        "best": (1, 0.9),
        "median": (0, 0.5),
        "worst": (2, 0.1),
    }
    assert choose(np.array([0.5])) == dict.fromkeys(("best", "median", "worst"), (0, 0.5))


def test_a_sheet_holds_its_panels_unchanged_but_for_their_size():
    panel = np.zeros((10, 20, 3), np.uint8)
    panel[:, 10:] = 255, 0, 0
    with Image.open(
        io.BytesIO(sheet({"best": {"image": panel}, "worst": {"image": panel[:, ::-1]}}))
    ) as image:
        pixels = np.asarray(image)
    middle = pixels[18 + PANEL // 4]
    assert middle[PANEL // 8].tolist() == [0, 0, 0] and middle[PANEL - PANEL // 8].tolist() == [255, 0, 0]
    assert len(pixels) >= 2 * (18 + PANEL // 2)
