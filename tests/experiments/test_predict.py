"""Pictures to classes: probabilities are the network's, names are the weights', bad files are told."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

import scaling
from experiments import evaluate, predict
from scaling.models.initialize import initialize
from scaling.weights.files import load, save
from scaling.weights.predict import predictions
from scaling.weights.preprocessing import Preprocessing

NAMES = ("ant", "bee", "cow")
RECORD = Preprocessing(32, 1.0, "squash", "bilinear", (0.5,) * 3, (0.25,) * 3)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    arch = scaling.get("lenet5").replace(num_classes=3, in_channels=3)
    path = tmp_path_factory.mktemp("weights") / "net.safetensors"
    save(path, arch, initialize(scaling.build(arch), seed=1), RECORD, classes=NAMES)
    return path


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    random = np.random.default_rng(0)
    for i in range(5):
        pixels = random.integers(0, 256, (20 + i, 30, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.png")
    return folder


def test_probabilities_are_the_networks_whatever_the_batch(weights, photos):
    loaded = load(weights)
    images = [predict.open_picture(path, 3) for path in sorted(photos.iterdir())]
    one, several = (np.stack(list(predictions(loaded, images, batch))) for batch in (1, 3))
    x = np.stack([RECORD.apply(image) for image in images])
    logits = np.asarray(scaling.build(loaded.arch).apply(loaded.variables, x, train=False))
    expected = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(one, expected, rtol=1e-5)
    np.testing.assert_allclose(several, expected, rtol=1e-5)


def test_the_command_names_classes_and_writes_a_table(weights, photos, tmp_path, capsys):
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    table = tmp_path / "found.csv"
    words = [f"--weights={weights}", str(photos), str(tmp_path / "bad.jpg"), "--top=2", f"--csv={table}"]
    assert predict.main(words) == 1
    printed = capsys.readouterr().out
    assert "left out" in printed and "bad.jpg" in printed and "5 predictions" in printed
    lines = list(csv.DictReader(table.open()))
    assert len(lines) == 10 and {line["class"] for line in lines} <= set(NAMES)
    first = next(predictions(load(weights), [predict.open_picture(photos / "0.png", 3)]))
    assert lines[0]["class"] == NAMES[int(first.argmax())]
    assert float(lines[0]["probability"]) == pytest.approx(float(first.max()), abs=1e-6)


@pytest.mark.parametrize("top", ["0", "-3", "2.5"])
def test_the_likeliest_are_one_at_least(weights, tmp_path, capsys, top):
    with pytest.raises(SystemExit):
        predict.main([f"--weights={weights}", f"--top={top}", str(tmp_path)])
    assert f"--top: {top} must be a whole number of at least 1" in capsys.readouterr().err


def test_what_cannot_be_predicted_says_why(weights, tmp_path):
    with pytest.raises(ValueError, match="does not exist"):
        predict.main([f"--weights={weights}", str(tmp_path / "nothing.png")])
    with pytest.raises(ValueError, match="holds no file ending"):
        predict.main([f"--weights={weights}", str(tmp_path)])
    loaded = load(weights)
    with pytest.raises(ValueError, match="how pictures become"):
        next(predictions(loaded._replace(preprocessing=None), []))
    with pytest.raises(ValueError, match="3 outputs, not 2"):
        save(tmp_path / "x.safetensors", loaded.arch, loaded.variables, classes=("a", "b"))


@pytest.mark.parametrize("task", ["classification", "segmentation"])
def test_a_runs_own_code_is_not_run_unless_it_is_trusted(tmp_path, task):
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    config = {"task": task, "model": {"name": f"{tmp_path / 'evil.py'}:network", "base_resolution": 32}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="a file of code"):
        evaluate.main([f"--run={tmp_path}"])
    assert not (tmp_path / "ran").exists()


@pytest.mark.nightly
def test_a_run_is_evaluated_on_its_own_and_on_other_photos(tmp_path, capsys):
    from scaling.runs.spec import RunSpec
    from scaling.training import run

    random = np.random.default_rng(0)
    for split, count in (("train", 12), ("test", 6)):
        for k, name in enumerate(NAMES):
            folder = tmp_path / "photos" / split / name
            folder.mkdir(parents=True)
            for i in range(count):
                pixels = random.integers(0, 60, (32, 32, 3), np.uint8) + np.uint8(90 * k)
                Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{i}.png")
    spec = RunSpec.from_config(
        {
            "model": {"name": "lenet5"},
            "data": {"source": "folder", "dir": str(tmp_path / "photos"), "validation_fraction": 0.25},
            "optimizer": {"lr": 0.05, "lr_batch": 0, "momentum": 0.9},
            "train": {"batch": 8, "duration": "10 epochs"},
        }
    )
    row = run(spec, tmp_path / "run")
    evaluate.main([f"--run={tmp_path / 'run'}"])
    printed = capsys.readouterr().out
    assert f"| top-1 (%) | {100 * row.metrics['test_top1']:.2f} |" in printed and "| cow | 6 |" in printed
    assert (tmp_path / "run" / "evaluation" / "worst.png").is_file()
    other = tmp_path / "other"
    (other / "train").mkdir(parents=True)
    (tmp_path / "photos" / "test" / "cow").rename(other / "train" / "cow")
    evaluate.main(
        [f"--run={tmp_path / 'run'}", f"--data={other}", "--split=train", f"--out={tmp_path / 'out'}"]
    )
    assert "| ant | 0 | – |" in capsys.readouterr().out
    (other / "train" / "cow").rename(other / "train" / "dog")
    with pytest.raises(ValueError, match="'dog', which the network was not trained on"):
        evaluate.main([f"--run={tmp_path / 'run'}", f"--data={other}", "--split=train"])
