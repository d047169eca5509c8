"""The benchmark: fair turns, ratios, peers that are absent or die, rows that are kept, equal networks."""

import ast
import dataclasses
import io
import json
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

import scaling
from experiments.benchmarks import __main__ as command
from experiments.benchmarks import memory, races, rows, sections, shapes, summaries, worker
from experiments.benchmarks.alternate import Outcome, alternate, ratio
from experiments.benchmarks.contenders import Absent, Failed, Fresh, Process
from experiments.benchmarks.peers import flax_networks, our_epoch, stock_flax
from experiments.benchmarks.plan import Group, Machine, Options
from experiments.benchmarks.roofline import shares
from experiments.benchmarks.sections import SECTIONS
from experiments.benchmarks.table import cells, render
from experiments.benchmarks.tasks import FirstStep, Job, Load, Operator, Parallel, Step
from scaling.models.initialize import abstract_variables

MACHINE = Machine("cpu", "cpu", "a processor", 1)
STEP = Step("cifar_resnet20", "train", 4, 32)
TINY = Operator("tiny", "depthwise", 6, 4, 4, 3, 1, 4, "", "torch", 2, "forward + backward", 2)


class Fake:
    """A contender that takes the seconds it is given, and logs each call."""

    def __init__(self, label, seconds=(1.0,), log=None, fails_at=None, error=None):
        self.label, self.seconds, self.log = label, list(seconds), [] if log is None else log
        self.fails_at, self.error = fails_at, error

    def _do(self, what):
        self.log.append((self.label, what))
        if what == self.fails_at:
            raise self.error

    def prepare(self, task):
        self._do("prepare")

    def run(self):
        self._do("run")
        return self.seconds.pop(0) if len(self.seconds) > 1 else self.seconds[0]

    def settle(self):
        self._do("settle")

    def finish(self):
        self._do("finish")
        return {"peak_bytes": 7}

    def close(self):
        self._do("close")


def run(contenders, repeats=2, warmups=1):
    return alternate(contenders, 0, repeats, warmups, pause=0)


def test_contenders_take_turns_and_warm_ups_do_not_count():
    log = []
    outcomes = run([Fake("ours", (9, 1, 2), log), Fake("peer", (9, 3, 4), log)])
    assert [who for who, what in log if what == "run"] == ["ours", "peer"] * 3
    assert log.index(("ours", "prepare")) < log.index(("peer", "settle")) < log.index(("ours", "run"))
    assert outcomes["ours"].seconds == (1, 2) and outcomes["peer"].seconds == (3, 4)


def test_long_rounds_stop_early_but_not_before_three():
    outcomes = alternate([Fake("ours"), Fake("peer")], 0, repeats=9, warmups=0, budget=0.0, pause=0)
    assert [len(outcome.seconds) for outcome in outcomes.values()] == [3, 3]


def test_ratio_is_the_median_of_pairs_and_above_one_where_ours_is_faster():
    assert ratio([1, 2, 4], [2, 4, 16]).median == 2
    assert ratio([5.0], [1.0]).median == pytest.approx(0.2)
    ours, theirs = [1.0, 3.0, 2.0], [2.0, 1.0, 5.0]
    slowdown = ratio([10 * t for t in ours], [10 * t for t in theirs])
    assert slowdown == ratio(ours, theirs), "a disturbance that hits both changes nothing"


@pytest.mark.parametrize(
    ("fails_at", "error", "status"),
    [
        ("prepare", Absent("torch is not installed (pip install torch)"), "skipped"),
        ("run", Failed("died with exit code -9"), "failed"),
        ("finish", Failed("died with exit code -9"), "failed"),
    ],
)
def test_one_that_cannot_is_a_line_and_the_rest_goes_on(fails_at, error, status):
    peer = Fake("peer", fails_at=fails_at, error=error)
    outcomes = run([Fake("ours"), peer, Fake("other")])
    assert outcomes["peer"].status == status and str(error) in outcomes["peer"].problem
    assert len(outcomes["other"].seconds) == len(outcomes["ours"].seconds) == 2
    assert peer.log[-1] == ("peer", "close")
    group = Group("steps", (STEP,), ("ours", "peer", "other"))
    bad, good = (
        races.compare(group, STEP, name, outcomes["ours"], outcomes[name]) for name in ("peer", "other")
    )
    assert bad.ratio is None and bad.ours == 1 and str(error) in cells(bad)[-1]
    assert good.ratio == 1 and good.status == "ok"


def test_a_missing_package_is_named_with_its_fix(monkeypatch):
    def needs_torch(job, task):
        raise ModuleNotFoundError("No module named 'torch.nn'", name="torch.nn")

    monkeypatch.setitem(worker.CONTENDERS, "torch NCHW", needs_torch)
    replies = io.StringIO()
    session = worker.Session(Job("torch NCHW", (TINY,), 1))
    worker.serve(session, ['{"do": "prepare"}', '{"do": "run"}'], replies)
    absent, unprepared = map(json.loads, replies.getvalue().splitlines())
    assert absent == {"absent": "torch is not installed (pip install torch)"}
    assert "prepare" in unprepared["failed"]


def process(program: str, limit: float = 20.0) -> Process:
    return Process(Job("peer", (), 1), limit, [sys.executable, "-c", program])


def test_a_dying_worker_is_reported_with_its_last_words():
    dying = process("import sys; input(); print('out of luck', file=sys.stderr); sys.exit(3)")
    with pytest.raises(Failed, match="exit code 3 when told to prepare; out of luck"):
        dying.prepare(0)


def test_a_hanging_worker_is_ended_at_the_limit():
    hanging = process("import time; time.sleep(60)", limit=0.3)
    with pytest.raises(Failed, match="more than 0.3 s to prepare"):
        hanging.prepare(0)
    assert hanging._process is None


def test_each_run_of_a_fresh_contender_is_in_a_new_process():
    answer = "import os, json\nwhile input(): print(json.dumps({'seconds': os.getpid()}), flush=True)"
    fresh = Fresh(process(answer), primed=False)
    fresh.prepare(0)
    assert fresh.run() != fresh.run()


def test_a_real_operator_end_to_end():
    job = Job("ours", (TINY,), 1)
    assert Job.from_json(job.to_json()) == job
    found = run([Process(job, 100), Process(dataclasses.replace(job, contender="lax"), 100)])
    assert [found[label].status for label in ("ours", "lax")] == ["ok", "ok"], found
    assert all(t > 0 for outcome in found.values() for t in outcome.seconds)
    assert found["ours"].facts["peak_bytes"] > 10**6


@pytest.mark.parametrize(
    "task", [STEP, TINY, FirstStep("resnet50", 8, 64), Load("photos", 128, 32, 2, 64)], ids=lambda t: t.case
)
def test_every_task_survives_its_way_to_a_worker(task):
    job = Job("ours", (task,), 2, "cache")
    assert Job.from_json(job.to_json()) == job


def row(**changes) -> rows.Measurement:
    outcomes = {"ours": Outcome("ok", (1.0, 3.0, 2.0)), "peer": Outcome("ok", (4.0, 6.0, 6.0))}
    made = races.compare(Group("steps", (STEP,), ("ours", "lax")), STEP, "lax", *outcomes.values())
    return dataclasses.replace(made, environment={**vars(MACHINE), "date": "2026-01-01"}, **changes)


def test_rows_round_trip_and_the_table_is_a_function_of_them(tmp_path):
    made = [row(), row(peer="stock Flax", status="skipped", note="skipped: it is absent")]
    assert rows.merge(tmp_path, "steps", made) == made == rows.read(tmp_path, "steps")
    assert made[0].ratio == 3 and made[0].ours_quartiles == (1.5, 2.5)
    text = command.write_table(tmp_path)
    assert text == render({"steps": made}) == (tmp_path / "table.md").read_text()
    assert "3.00 (2.50 to 3.50)" in text and "it is absent" in text and "GPU rows are missing" in text


def test_a_rerun_replaces_its_own_rows_only(tmp_path):
    other, unmeasured = row(section="memory"), row(status="skipped", note="absent", ours=None)
    rows.merge(tmp_path, "memory", [other])
    rows.merge(tmp_path, "steps", [row(), row(model="resnet50")])
    newer = row(note="newer")
    assert rows.merge(tmp_path, "steps", [newer]) == [newer, row(model="resnet50")]
    assert rows.merge(tmp_path, "steps", [unmeasured])[0] == newer, "a skipped peer erased a number"
    assert rows.read(tmp_path, "memory") == [other]


def test_a_damaged_row_is_named(tmp_path):
    (tmp_path / "steps.jsonl").write_text(row().to_json() + "\n{}\n")
    with pytest.raises(ValueError, match="steps.jsonl, line 2"):
        rows.read(tmp_path, "steps")


STAGES = {"efficientnet_b0": 2, "resnext50_32x4d": 1, "seresnet18": 2, "cifar_resnet20": 2, "wrn_16_4": 1}
BASIC = ("seresnet18", "cifar_resnet20")  # residual blocks, as the wide and the grouped one have


@pytest.mark.representatives(1)
@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.nightly if n in BASIC else ()) for n in STAGES]
)
def test_the_stock_network_is_the_same_network(name):
    arch = scaling.get(name)
    arch = arch.replace(resolution=32, stages=arch.stages[: STAGES[name]])
    net = stock_flax.StockNetwork(arch)
    shapes_of = abstract_variables(net, 32, 3)
    sizes = {key: sum(leaf.size for leaf in jax.tree.leaves(tree)) for key, tree in shapes_of.items()}
    cost = scaling.count(arch)
    assert sizes == {"params": cost.params, "batch_stats": cost.batch_stats}
    image = jax.ShapeDtypeStruct((2, 32, 32, 3), "float32")
    logits = jax.eval_shape(lambda v, x: net.apply(v, x), shapes_of, image)
    assert logits.shape == (2, arch.num_classes)
    assert scaling.cost.counting.count_module(net, (32, 32, 3), train=False).macs == cost.macs


def test_a_block_without_a_peer_says_which_have_one():
    net = stock_flax.StockNetwork(scaling.get("tf_efficientnetv2_s").replace(resolution=32))
    with pytest.raises(ValueError, match="FusedMBConv has no stock Flax peer.*MBConv"):
        abstract_variables(net, 32, 3)


def test_operator_shapes_are_those_that_the_network_runs():
    arch = scaling.get("efficientnet_b0")
    found = shapes.operators(arch, ("depthwise",), "forward", 8, "float32")
    assert sum(op.times for op in found) == arch.depth and len(set(found)) == len(found)
    macs = sum(op.times * races.work(dataclasses.replace(op, batch=1), {})[0] for op in found)
    counted = scaling.count(arch, layers=True).layers
    assert macs == sum(layer.macs for layer in counted if layer.kind == "depthwise")


def test_segmenters_and_detectors_race_at_their_own_side_and_classifiers_are_left_out():
    groups = list(SECTIONS["dense"](Options(("dense",)), MACHINE))
    tasks = [task for group in groups for task in group.tasks]
    assert {(task.model, task.resolution) for task in tasks} == {
        ("fcn_resnet50", 224),
        ("tf_efficientdet_d0", 256),
    }
    (skipped,) = SECTIONS["dense"](Options(("dense",), models=("resnet50",)), MACHINE)
    assert "resnet50 classifies" in skipped.line


def test_the_loss_of_a_dense_network_is_the_sum_of_its_outputs_mean_squares():
    rng = np.random.default_rng(0)
    arrays = {"class_0": rng.normal(size=(2, 3)), "box_0": rng.normal(size=(2, 5))}
    expected = sum(float(np.mean(array**2)) for array in arrays.values())
    assert float(flax_networks.objective(arrays, None)) == pytest.approx(expected, rel=1e-5)


def test_a_gpu_gets_large_batches_and_shares_of_its_peaks():
    machine = Machine("gpu", "NVIDIA H100 80GB HBM3", "a processor", 16)
    options = Options(("steps", "operators"), models=("resnet50",))
    groups = list(SECTIONS["steps"](options, machine))
    assert {len(group.contenders) for group in groups} == {2}, "a GPU does not hold all at once"
    train = groups[0]
    assert (train.tasks[0].batch, train.tasks[0].dtype) == (256, "bfloat16")
    task, timed = train.tasks[0], Outcome("ok", (0.05,), {"bytes_accessed": 8e10})
    facts = races.Races(options, machine, {})._with_shares(task, timed).facts
    flops = 3 * 2 * 256 * scaling.count(scaling.get("resnet50")).macs
    assert facts["flop_share"] == pytest.approx(flops / 0.05 / 989e12)
    assert facts["bandwidth_share"] == pytest.approx(8e10 / 0.05 / 3.35e12)
    depthwise = next(SECTIONS["operators"](Options(("operators",), models=("efficientnet_b0",)), machine))
    assert "shifted depthwise" in depthwise.contenders


def test_shares_of_the_peaks_are_empty_for_an_unknown_device():
    assert shares("NVIDIA H100 80GB HBM3", 1.0, 989e12 / 4, 3.35e12) == {
        "flop_share": 0.5,
        "bandwidth_share": 1,
    }
    assert shares("some accelerator", 1.0, 1e12, 1e9) == {}


def test_the_peak_of_memory_can_be_reset():
    held = bytearray(b"x") * 200_000_000  # written to, so that it is resident
    del held
    before = memory.peak()
    if not memory.reset_peak():
        pytest.skip("this system does not reset the peak")
    assert memory.peak() < before - 100_000_000


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--only=step"], "did you mean 'steps'"),
        (["--models=resnet51"], "did you mean 'resnet50'"),
        (["--repeats=0"], "--repeats=0"),
        (["--table", "--out=nowhere"], "holds no rows"),
    ],
)
def test_bad_input_says_what_to_do(argv, message):
    with pytest.raises((KeyError, ValueError), match=message):
        command.main(argv)


def test_a_network_that_the_zoo_lacks_is_one_line(monkeypatch, capsys):
    monkeypatch.setitem(sections.STEPS, "resnet49", (8, 8))
    command.measure(Options(("steps", "memory"), models=("resnet49",)), MACHINE)
    assert "skipped: resnet49 is not in the zoo" in capsys.readouterr().out


def test_weak_scaling_grows_the_batch_and_strong_scaling_keeps_it():
    (group,) = SECTIONS["devices"](Options(("devices",), models=("cifar_resnet20",)), MACHINE)
    assert [(task.mode, task.devices, task.batch) for task in group.tasks] == [
        *(("weak scaling", n, 128 * n) for n in (1, 2, 4)),
        *(("strong scaling", n, 128) for n in (1, 2, 4)),
    ]
    on_eight = dataclasses.replace(MACHINE, backend="gpu", devices=8)
    (group,) = SECTIONS["devices"](Options(("devices",), models=("cifar_resnet20",)), on_eight)
    assert max(task.devices for task in group.tasks) == 8


def test_shares_of_perfect_scaling_are_one_and_say_what_is_reduced():
    group = Group("devices", (), ("ours", "ours, jit"))
    measured = [
        races.compare(
            group, task, "ours, jit", Outcome("ok", (1.0,), {"all_reduced_bytes": 2e6}), Outcome("ok", (2.0,))
        )
        for task in (Parallel("a", "weak scaling", 8 * n, 32, n) for n in (1, 2))
    ]
    first, second = summaries.devices(measured)
    assert "8.0 images/s by pmap (100%" in first and "16.0 images/s by pmap (100%" in second
    assert "8.0 by jit (100%" in second and "2.0 MB all-reduced a step" in second


def test_images_of_an_epoch_can_be_trained_on_and_are_gone_afterwards():
    groups = SECTIONS["epoch"](Options(("epoch",), quick=True), MACHINE)
    (task,) = next(groups).tasks
    spec = our_epoch.spec(task)
    assert spec.data.fingerprint and len(np.load(task.dir)["train_label"]) == task.images == 1000
    assert list(groups) == [] and not Path(task.dir).exists()


@pytest.mark.nightly
def test_a_step_on_virtual_devices_end_to_end():
    tasks = tuple(Parallel("cifar_resnet20", "weak scaling", 4 * n, 32, n) for n in (1, 2))
    contenders = [Process(Job(label, tasks[1:], 1), 100) for label in ("ours", "ours, jit")]
    found = run(contenders)
    for contender in contenders:
        contender.close()
    for outcome in found.values():
        assert outcome.status == "ok" and outcome.facts["images"] == 8, outcome
        assert outcome.facts["all_reduced_bytes"] > 4 * scaling.count(scaling.get("cifar_resnet20")).params


@pytest.mark.representatives(1)
@pytest.mark.parametrize("name", ["cifar_resnet20", "wrn_16_4", "nasbench201-333132", "nasbench201-041234"])
def test_networks_written_for_pytorch_have_as_many_parameters(name):
    pytest.importorskip("torch")
    from experiments.benchmarks.peers import torch_networks

    net = torch_networks.build(name, 32)
    assert sum(p.numel() for p in net.parameters()) == scaling.count(scaling.get(name)).params


def test_the_loader_without_photos_is_one_line(capsys):
    command.measure(Options(("loader",)), MACHINE)
    assert "skipped: no photos given (--data=DIR" in capsys.readouterr().out


def test_only_peers_import_torch_and_only_workers_load_peers():
    folder = Path(command.__file__).parent
    for path in folder.glob("*.py"):
        top = [
            node for node in ast.parse(path.read_text()).body if isinstance(node, ast.Import | ast.ImportFrom)
        ]
        names = [alias.name for node in top for alias in node.names]
        modules = [getattr(node, "module", None) or "" for node in top] + names
        assert not [m for m in modules if "peers" in m or m.split(".")[0] in ("torch", "timm")], path.name


def test_a_busy_machine_is_said():
    assert "load" in command.busy(Machine("cpu", "cpu", "a processor", 2), load=4.0)
    assert command.busy(Machine("cpu", "cpu", "a processor", 2), load=1.0) == ""
