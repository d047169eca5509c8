"""What is said of a picture alone is what the network answers, in the picture's own pixels."""

import csv

import jax
import numpy as np
import pytest
from jax import export as exported_program
from PIL import Image

import scaling
from experiments import export, predict
from scaling import tasks
from scaling.models.initialize import initialize
from scaling.runs.resolve import resolve
from scaling.runs.spec import ModelSpec, TrainSpec
from scaling.tasks.answers import ALL
from scaling.weights.files import Weights, save
from scaling.weights.predict import answers
from scaling.weights.preprocessing import Preprocessing

NAMES = ("ant", "bee")
SIDE, SIZE = 32, (45, 70)  # the network's side, and the picture's height and width
SMALL = {"base_width": 0.25, "base_resolution": SIDE, "rounding": "narrow"}
MODELS = {
    "classification": ModelSpec(name="cifar_resnet20", **SMALL),
    "segmentation": ModelSpec(name="cifar_resnet20", head="unet", **SMALL),
    "detection": ModelSpec(name="resnet18", stages=(0, 1, 2), head="retinanet", base_depth=0.5, **SMALL),
    "instance_segmentation": ModelSpec(name="resnet18", stages=(0, 1, 2), head="maskrcnn", **SMALL),
    "denoising": ModelSpec(name="dncnn", strides=(2, 1), **SMALL),
    "super_resolution": ModelSpec(name="espcn_x3", **SMALL),
    "embedding": ModelSpec(name="cifar_resnet20", head="embedding", **SMALL),
}
LOW = TrainSpec(least_score=0.0, sure_score=0.0)  # what untrained networks find is never sure


@pytest.fixture(scope="module", params=MODELS)
def task(request) -> tasks.Task:
    return tasks.named(request.param)


@pytest.fixture(scope="module")
def weights(task) -> Weights:
    channels = 1 if task.answer.whole else 3
    arch, _ = resolve(MODELS[task.name], len(NAMES), channels)
    arch = task.adapt(arch)
    record = Preprocessing(SIDE, 1.0, "squash", "bilinear", (0.5,) * channels, (0.25,) * channels)
    return Weights(arch, initialize(scaling.build(arch), seed=0), record, NAMES)


@pytest.fixture(scope="module")
def pixels(weights) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (*SIZE, weights.arch.in_channels), np.uint8)


def said(task, weights, pixels, most=ALL):
    (seen,) = answers(weights, task, LOW, [pixels], batch=2)
    return seen, task.answer.say(pixels, seen, NAMES, most)


def test_an_answer_fills_its_columns_and_its_pictures_are_of_the_picture(task, weights, pixels):
    seen, told = said(task, weights, pixels)
    assert told.line and all(len(row) == len(task.answer.columns) for row in told.rows)
    assert all(np.isfinite(array).all() for array in seen.values())
    for name, picture in told.pictures.items():
        assert picture.dtype in (np.uint8, np.uint16)
        shape = picture.shape if picture.ndim == 2 else picture[..., 0].shape
        if task.name == "super_resolution":
            assert shape == tuple(3 * side for side in SIZE)
        elif name or task.answer.whole or task.name == "segmentation":
            assert shape == SIZE


def test_one_picture_is_answered_as_among_others(task, weights, pixels):
    alone, _ = said(task, weights, pixels)
    *_, last = answers(weights, task, LOW, [pixels[::-1], pixels], batch=2)
    for name, array in alone.items():
        np.testing.assert_allclose(last[name], array, atol=1e-4 * np.abs(array).max())


@pytest.mark.parametrize("task", ["detection", "instance_segmentation"], indirect=True)
def test_things_lie_within_the_picture_the_likeliest_first_and_as_many_as_asked(task, weights, pixels):
    seen, _ = said(task, weights, pixels)
    seen = {**seen, "score": np.linspace(1.0, 0.4, len(seen["score"]))}  # all of them are sure
    if "map" in seen:
        seen["map"] = np.arange(SIDE**2).reshape(SIDE, SIDE) % 8  # seven things
    told = task.answer.say(pixels, seen, NAMES, ALL)
    corners = np.array([row[2:6] for row in told.rows], float)
    assert len(corners) >= 7 and np.all(corners >= 0)
    assert np.all(corners[:, [0, 2]] <= SIZE[1] + 0.1) and np.all(corners[:, [1, 3]] <= SIZE[0] + 0.1)
    scores = [float(row[1]) for row in told.rows]
    assert scores == sorted(scores, reverse=True) and {row[0] for row in told.rows} <= set(NAMES)
    assert len(task.answer.say(pixels, seen, NAMES, 3).rows) == 3
    for *_, number, count in told.rows if "map" in seen else ():
        assert count == np.sum(told.pictures["things"] == number) > 0


@pytest.mark.parametrize("sides", [(16, 24), SIZE])
def test_a_restored_picture_is_the_network_s_at_any_size(sides):
    """Of sides that strides divide it is the network's very answer; of others its inside is."""
    task = tasks.named("denoising")
    arch = task.adapt(resolve(MODELS["denoising"], 1, 1)[0])
    weights = Weights(arch, initialize(scaling.build(arch), seed=0), None, ("picture",))
    pixels = np.random.default_rng(1).integers(0, 256, (*sides, 1), np.uint8)
    (seen,) = answers(weights, task, TrainSpec(), [pixels])
    even = tuple(side // 2 * 2 for side in sides)
    x = pixels[None, : even[0], : even[1]] / np.float32(255)
    expected = x - scaling.build(arch).apply(weights.variables, x, train=False)["out"]
    expected = np.round(255 * np.clip(expected[0], 0, 1))
    inside = 0 if even == sides else 30  # a rounding of what reads the edge is not the network's
    cut = (slice(0, even[0] - inside), slice(0, even[1] - inside))
    assert seen["restored"].shape == (*sides, 1)
    assert np.abs(seen["restored"][cut].astype(int) - expected[cut]).max() <= 1


def test_classes_of_pixels_are_the_network_s_and_share_the_picture():
    task = tasks.named("segmentation")
    arch = task.adapt(resolve(MODELS["segmentation"], len(NAMES), 3)[0])
    record = Preprocessing(SIDE, 1.0, "squash", "bilinear", (0.5,) * 3, (0.25,) * 3)
    weights = Weights(arch, initialize(scaling.build(arch), seed=0), record, NAMES)
    pixels = np.random.default_rng(2).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    _, told = said(task, weights, pixels)
    scores = scaling.build(arch).apply(weights.variables, record.apply(pixels)[None], train=False)["out"]
    np.testing.assert_array_equal(told.pictures["classes"], np.argmax(scores[0], -1))
    assert sum(float(share) for _, share in told.rows) == pytest.approx(1.0, abs=1e-5)


def test_the_task_of_a_file_follows_from_its_head(task, weights):
    expected = "denoising" if task.answer.whole else task.name
    assert tasks.of(weights.arch).name == expected


def test_tasks_without_pictures_say_so(weights):
    for name in ("voice_activity", "generation"):
        with pytest.raises(ValueError, match=f"trained for {name}.*tasks that do are classification, segm"):
            next(answers(weights, tasks.named(name), TrainSpec(), []))


def test_the_command_writes_table_and_pictures_of_a_file_that_knows_its_head(task, weights, tmp_path, capsys):
    """Also after a change of hands as .safetensors, and as a program for others."""
    arch, variables, record, _ = weights
    file, photo = tmp_path / "net.safetensors", tmp_path / "photo.png"
    names = ("picture",) if task.answer.whole else NAMES
    save(file, arch, variables, record, names if task.name != "embedding" else ())
    Image.fromarray(np.zeros((*SIZE, 3), np.uint8)).save(photo)
    flags = [f"--weights={file}", str(photo), f"--csv={tmp_path / 'x.csv'}", f"--out={tmp_path / 'out'}"]
    assert predict.main(flags) == 0
    assert "1 predictions" in capsys.readouterr().out
    header = next(csv.reader((tmp_path / "x.csv").open()))
    assert header == ["image", *task.answer.columns]
    drawn = task.name not in ("classification", "embedding")
    assert (tmp_path / "out" / "photo.png").is_file() is drawn


def test_no_drawing_takes_the_place_of_another_or_of_a_picture(tmp_path):
    one, same, other = tmp_path / "a/x.png", tmp_path / "b/x.jpg", tmp_path / "b/y.png"
    predict.check_names(tmp_path / "out", [one, other])
    with pytest.raises(ValueError, match="would both be drawn as .*x.png: give them in separate calls"):
        predict.check_names(tmp_path / "out", [one, same])
    with pytest.raises(ValueError, match="a drawing could replace: name another folder"):
        predict.check_names(tmp_path / "b", [one, other])


@pytest.mark.nightly
def test_any_network_is_exported_as_a_program(task, weights, tmp_path):
    arch, variables, record, _ = weights
    file, program = tmp_path / "net.safetensors", tmp_path / "net.stablehlo"
    save(file, arch, variables, record)
    export.main([f"--weights={file}", f"--to={program}"])
    x = np.random.default_rng(0).standard_normal((2, *arch.input_shape), np.float32)
    found = exported_program.deserialize(bytearray(program.read_bytes())).call(x)
    expected = scaling.build(arch, operators="lax").apply(variables, x, train=False)
    for ours, theirs in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4 * max(1e-6, np.abs(theirs).max()))
