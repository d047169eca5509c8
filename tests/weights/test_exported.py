"""Exported programs are the network: loaded again, for any number of images, with what a user must know."""

import json

import jax
import numpy as np
import pytest
from jax import export

import scaling
from experiments import export as command
from scaling.models.initialize import initialize
from scaling.weights import exported
from scaling.weights.files import save
from scaling.weights.preprocessing import Preprocessing

NAMES = ("ant", "bee", "cow")


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    arch = scaling.get("lenet5").replace(num_classes=3)
    path = tmp_path_factory.mktemp("weights") / "net.safetensors"
    record = Preprocessing(32, 1.0, "squash", "bilinear", (0.5,), (0.25,))
    save(path, arch, initialize(scaling.build(arch), seed=1), record, classes=NAMES)
    return path


def test_stablehlo_computes_the_logits_of_any_number_of_images(saved, tmp_path, capsys):
    path = tmp_path / "net.stablehlo"
    command.main([f"--weights={saved}", f"--to={path}"])
    assert "differs from the network" in capsys.readouterr().out
    program = export.deserialize(path.read_bytes())
    assert set(program.platforms) == {"cpu", "cuda", "tpu"}
    arch, variables, _, _ = scaling.load(saved)
    for count in (1, 5):
        x = np.random.default_rng(count).standard_normal((count, 32, 32, 1), np.float32)
        expected = scaling.build(arch).apply(variables, x, train=False)
        np.testing.assert_allclose(program.call(x), expected, rtol=1e-4, atol=1e-5)
    told = json.loads((tmp_path / "net.stablehlo.json").read_text())
    assert told["classes"] == list(NAMES) and told["preprocessing"]["side"] == 32


def test_a_program_that_computes_something_else_is_deleted(saved, tmp_path, monkeypatch):
    whole = exported._function
    monkeypatch.setattr(exported, "_function", lambda weights: lambda x: 1.01 * whole(weights)(x))
    good = exported._distance
    monkeypatch.setattr(
        exported,
        "_distance",
        lambda *args: (monkeypatch.setattr(exported, "_function", whole), good(*args))[1],
    )
    with pytest.raises(ValueError, match="it is deleted"):
        exported.to_stablehlo(scaling.load(saved), tmp_path / "net.stablehlo")
    assert not (tmp_path / "net.stablehlo").exists()


def test_a_later_output_that_is_no_number_is_not_passed_over(saved, tmp_path, monkeypatch):
    ours = [np.ones((3, 2), np.float32), np.ones((3, 2), np.float32)]
    monkeypatch.setattr(exported, "_function", lambda weights: lambda x: ours)
    path = tmp_path / "net.stablehlo"
    path.touch()
    with pytest.raises(ValueError, match="differs by nan"):
        exported._distance(scaling.load(saved), lambda x: [ours[0], np.nan * ours[1]], path)


def test_onnx_agrees_with_onnxruntime(saved, tmp_path):
    pytest.importorskip("jax2onnx")
    distance = exported.to_onnx(scaling.load(saved), tmp_path / "net.onnx")
    assert distance < 1e-4 and (tmp_path / "net.onnx").is_file()


def test_safetensors_keeps_the_names_of_classes(saved, tmp_path):
    command.main([f"--weights={saved}", f"--to={tmp_path / 'again.safetensors'}"])
    again, first = scaling.load(tmp_path / "again.safetensors"), scaling.load(saved)
    assert again.classes == NAMES and again.preprocessing == first.preprocessing
    jax.tree.map(np.testing.assert_array_equal, again.variables, first.variables)


@pytest.mark.parametrize(
    ("words", "message"),
    [(["--to=net.pth"], "must end in one of"), ([], "nothing to write"), (["--card=card.md"], "give --run")],
)
def test_bad_input_says_what_to_do(saved, words, message):
    with pytest.raises(ValueError, match=message):
        command.main([f"--weights={saved}", *words])
