"""The command `experiments.train` as a user has it: real processes, killed, interrupted, many."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from scaling.arch.anchors import PixelAnchors
from scaling.arch.box_heads import RetinaNet
from scaling.arch.necks import Fpn
from scaling.runs.rows import read_row
from scaling.training import checkpoints, run
from scaling.training.peers import PEER_LOST
from scaling.training.plan import make_plan
from scaling.training.progress import Silent
from scaling.training.runtime import Runtime

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def start(config, tmp_path, compilation_cache):
    """Return a function that starts the command on the tiny run: (workdir, *arguments) -> process."""
    started = []

    def launch(workdir, *arguments, devices=4):
        (tmp_path / "given.json").write_text(json.dumps(config))
        command = [sys.executable, "-m", "experiments.train", f"--config={tmp_path / 'given.json'}"]
        environment = os.environ | {
            "JAX_PLATFORMS": "cpu",
            "JAX_NUM_CPU_DEVICES": str(devices),
            "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
            "JAX_COMPILATION_CACHE_DIR": compilation_cache,
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        }
        started.append(
            subprocess.Popen(
                [*command, f"--workdir={workdir}", *arguments],
                cwd=REPOSITORY,
                env=environment,
                stderr=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        return started[-1]

    yield launch
    for process in started:
        process.kill()
        process.wait()


def finish(process):
    """Wait for a process that must succeed."""
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors


def wait_for_checkpoint(process, workdir, step):
    while not any(saved >= step for saved in checkpoints.saved_steps(workdir / "checkpoints")):
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.002)


def last_state(workdir, spec):
    like = Runtime(make_plan(spec)).first_state()
    return checkpoints.restore(workdir / "checkpoints", like)[0]


@pytest.mark.nightly
def test_a_killed_run_goes_on_and_equals_an_uninterrupted_one(make_spec, start, tmp_path, assert_equal):
    changes = {"train.batch": 16, "train.duration": "40 steps", "train.checkpoint_every": "2 steps"}
    spec = make_spec(changes | {"train.eval_every": "15 steps"})
    killed = start(tmp_path / "killed")
    wait_for_checkpoint(killed, tmp_path / "killed", 10)
    killed.send_signal(signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    assert not (tmp_path / "killed" / "row.json").exists()
    finish(start(tmp_path / "killed"))
    whole, row = run(spec, tmp_path / "whole", Silent()), read_row(tmp_path / "killed" / "row.json")
    assert_equal(last_state(tmp_path / "killed", spec), last_state(tmp_path / "whole", spec))
    assert (row.metrics["test_loss"], row.metrics["val_top1_ema"]) == (
        whole.metrics["test_loss"],
        whole.metrics["val_top1_ema"],
    )
    steps = [
        (line["split"], line["step"])
        for line in map(json.loads, (tmp_path / "killed" / "metrics.jsonl").read_text().splitlines())
    ]
    assert len(steps) == len(set(steps)) == 2 + 3 + 1


@pytest.mark.nightly
def test_ctrl_c_leaves_a_directory_that_can_be_resumed(make_spec, start, tmp_path):
    make_spec({"train.duration": "2000 epochs", "train.checkpoint_every": "1 steps"})
    process = start(tmp_path / "run")
    wait_for_checkpoint(process, tmp_path / "run", 2)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=100)
    assert process.returncode == 130, errors
    assert "the same command goes on from there" in errors and "Traceback" not in errors
    reached = checkpoints.saved_steps(tmp_path / "run" / "checkpoints")[-1]
    assert not checkpoints.problems(tmp_path / "run" / "checkpoints" / f"{reached:08d}")


def start_both(start, workdir):
    """Two processes of one run, with a device each."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        address = f"localhost:{free.getsockname()[1]}"
    told = [f"--coordinator={address}", "--process_count=2"]
    return [start(workdir, *told, f"--process_id={i}", devices=1) for i in range(2)]


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("number", "lost"),
    [
        (signal.SIGKILL, 1),
        (signal.SIGKILL, 0),
        pytest.param(signal.SIGSTOP, 1, marks=pytest.mark.exhaustive),
    ],
)
def test_who_loses_a_peer_says_so_and_the_run_goes_on_with_other_devices(
    make_spec, start, tmp_path, number, lost
):
    changes = {"train.batch": 16, "train.devices": None, "train.checkpoint_every": "2 steps"}
    make_spec(changes | {"train.duration": "2000 epochs", "train.log_every": "1 steps"})
    both = start_both(start, tmp_path / "run")
    gone, left = both[lost], both[1 - lost]
    wait_for_checkpoint(left, tmp_path / "run", 2)
    gone.send_signal(number)
    began = time.monotonic()
    _, errors = left.communicate(timeout=60)
    assert time.monotonic() - began < 20 and left.returncode == PEER_LOST, errors
    told = [line for line in errors.splitlines() if f"process {lost} of 2 is gone" in line]
    assert len(told) == 1 and "Traceback" not in errors
    reached = int(told[0].rpartition(" ")[2])
    assert reached >= 2
    gone.kill()
    one = start(tmp_path / "run", devices=2)  # a process where there were two
    wait_for_checkpoint(one, tmp_path / "run", reached + 2)
    one.send_signal(signal.SIGTERM)
    _, errors = one.communicate(timeout=60)
    assert one.returncode == 143 and f"resuming from step {reached}" in errors, errors


def run_two(start, workdir):
    """Run the command as two processes of one device each, to its end."""
    for process in start_both(start, workdir):
        finish(process)


@pytest.mark.nightly
def test_two_processes_equal_one_with_two_devices(make_spec, start, tmp_path, assert_equal):
    make_spec({"train.devices": None, "train.batch_norm": "synced", "train.duration": "6 steps"})
    run_two(start, tmp_path / "two")
    spec = make_spec({"train.devices": 2})
    one, two = run(spec, tmp_path / "one", Silent()), read_row(tmp_path / "two" / "row.json")
    assert (two.process_count, two.device_count, one.device_count) == (2, 2, 2)
    assert_equal(last_state(tmp_path / "one", spec), last_state(tmp_path / "two", spec), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(one.metrics["test_loss"], two.metrics["test_loss"], 1e-5)
    assert one.metrics["test_top1"] == two.metrics["test_top1"]


@pytest.mark.nightly
def test_what_cannot_be_summed_is_gathered_from_both_processes(
    make_spec, config, start, tmp_path, tiny_arch, boxes_dir
):
    head = RetinaNet(Fpn(1, 1, 8), PixelAnchors(octaves=1), repeats=1)
    arch = tiny_arch.replace(head=head, resolution=16, num_classes=2, drop_rate=0.0)
    config["data"] = {"source": "boxes", "dir": str(boxes_dir), "validation": "val"}
    config |= {"task": "detection", "augment": {}, "optimizer": {"lr": 0.01, "lr_batch": 0}}
    length = {
        "train.batch": 8,
        "train.duration": "2 steps",
        "train.checkpoint_every": "2 steps",
        "train.eval_every": "2 steps",
    }
    make_spec({"model.arch": arch.to_dict(), "train.devices": None, "train.batch_norm": "synced", **length})
    run_two(start, tmp_path / "two")
    one = run(make_spec({"train.devices": 2}), tmp_path / "one", Silent())
    two = read_row(tmp_path / "two" / "row.json")
    assert two.process_count == 2 and one.metrics.keys() == two.metrics.keys()
    for name, value in one.metrics.items():
        np.testing.assert_allclose(two.metrics[name], value, rtol=1e-4, atol=1e-6, err_msg=name)


@pytest.mark.parametrize(
    "arguments, told",
    [
        (["--config.train.bach=3"], "--config.train.bach is not a field of the config; did you mean 'batch'"),
        (["--config.model.phi=two"], "config.model.phi='two' must be float"),
        (
            ["--config.optimizer.name=sgdd"],
            "config.optimizer.name='sgdd' must be one of .* did you mean 'sgd'",
        ),
        (
            ["--config=configs/none.py"],
            "--config=configs/none.py is neither a Python file nor a config by name",
        ),
        (
            ["--config.train.batch=50", "--config.train.devices=4"],
            "config.train.batch=50 is not a multiple of 4",
        ),
        (["--process_id=1"], "--coordinator, --process_id and --process_count go together"),
    ],
)
def test_bad_input_is_one_paragraph_and_writes_nothing(
    config, tmp_path, capsys, monkeypatch, arguments, told
):
    from experiments import cli, train

    (tmp_path / "given.json").write_text(json.dumps(config))
    argv = ["train", f"--config={tmp_path / 'given.json'}", f"--workdir={tmp_path / 'new'}", *arguments]
    monkeypatch.setattr(sys, "argv", argv)
    with pytest.raises(SystemExit) as stopped:
        cli.run_command(train.main)
    errors = " ".join(capsys.readouterr().err.split())
    assert stopped.value.code == 2 and "Traceback" not in errors
    assert errors.startswith("error: ")
    assert re.search(told, errors), errors
    assert not (tmp_path / "new").exists()


def test_every_field_can_be_overridden_also_those_the_file_leaves_out(config, tmp_path):
    from experiments.cli import load_spec

    (tmp_path / "config.json").write_text(json.dumps(config))

    texts = {
        "train.ema": "0.999",
        "train.devices": "none",
        "data.name": "123",
        "train.progressive": "[(0, 0.5), (0.5, 1)]",
        "augment.flip": "True",
        "model.base_resolution": "32",
        "optimizer.clip_norm": "1",
    }
    spec = load_spec(str(tmp_path / "config.json"), texts)
    assert (spec.train.ema, spec.train.devices, spec.data.name) == (0.999, None, "123")
    assert spec.train.progressive == ((0.0, 0.5), (0.5, 1.0))
    assert (spec.augment.flip, spec.model.base_resolution, spec.optimizer.clip_norm) == (True, 32, 1.0)


def test_a_python_file_is_read_with_its_argument(tmp_path):
    from experiments.cli import load_spec

    (tmp_path / "recipe.py").write_text(
        "from ml_collections import ConfigDict\n"
        "def get_config(seed='0'):\n    return ConfigDict({'seed': int(seed), 'train': {'batch': 32}})\n"
    )
    assert load_spec(str(tmp_path / "recipe.py"), {}).train.batch == 32
    spec = load_spec(f"{tmp_path / 'recipe.py'}:5", {"train.batch": "64"})
    assert (spec.seed, spec.train.batch) == (5, 64)


@pytest.mark.nightly
@pytest.mark.parametrize("pause", [0.1, pytest.param(0.3, marks=pytest.mark.exhaustive)])
def test_ctrl_c_twice_ends_at_once_and_without_a_trace(make_spec, start, tmp_path, pause):
    """Also where the second comes while the first still saves, in threads of the checkpoints' library."""
    make_spec({"train.duration": "2000 epochs", "train.checkpoint_every": "1 steps"})
    process = start(tmp_path / "run")
    wait_for_checkpoint(process, tmp_path / "run", 2)
    process.send_signal(signal.SIGINT)
    time.sleep(pause)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=100)
    assert process.returncode in (130, -signal.SIGINT), errors
    assert "Traceback" not in errors
