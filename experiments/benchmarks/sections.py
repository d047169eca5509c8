"""Which comparisons each section makes: groups of tasks, with the contenders that race in them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from experiments.benchmarks import shapes
from experiments.benchmarks.plan import Group, Machine, Options, Skipped
from experiments.benchmarks.tasks import DIRECTIONS, MODES, Epoch, FirstStep, Load, Parallel, Step
from scaling import zoo
from scaling.arch.map_heads import MapHead

CHANNELS_LAST, NCHW, COMPILED = "torch channels_last", "torch NCHW", "torch.compile"
EAGER = (CHANNELS_LAST, NCHW)


STEPS = {  # batch on a CPU, batch on a GPU
    "efficientnet_b0": (8, 256),
    "mobilenetv2_100": (8, 256),
    "resnet50": (8, 256),
    "resnext50_32x4d": (8, 256),
    "efficientnet_b4": (2, 64),
    "cifar_resnet20": (128, 1024),
    "wrn_16_4": (64, 512),
    "densenet121": (8, 256),
    "vgg16": (8, 256),
    "nasbench201-333132": (64, 512),  # the best cell of its table on CIFAR-10
}
DENSE_STEPS = {  # batch on a CPU, on a GPU, side: networks that answer for every place of an image
    "fcn_resnet50": (4, 64, 224),
    "tf_efficientdet_d0": (4, 64, 256),
}
OTHER_BATCHES = (8, 64)
OPERATORS = {
    "efficientnet_b0": ("depthwise", "pointwise", "norm", "se"),
    "resnet50": ("dense",),
    "resnext50_32x4d": ("grouped",),
}
MEMORY = ("efficientnet_b0", "mobilenetv2_100", "resnet50")
DEPTHS = {
    **{f"efficientnet_b{i}": 64 for i in range(8)},
    **{f"cifar_resnet{depth}": 32 for depth in (20, 56, 110)},
}
PARALLEL = ("cifar_resnet20", "efficientnet_b0")
VIRTUAL = 4  # devices that a CPU is made to look like
EPOCH = "cifar_resnet20"
CIFAR = (50_000, 10_000)  # images for training, for evaluation
QUICK_MODELS = ("efficientnet_b0", "cifar_resnet20")
SIDE = 64  # of the images of ImageNet networks in quick runs and in "compile"
SIDES = (128, 224)  # of loaded photos
QUICK_SHAPES = 4  # every fourth


def operators(options: Options, machine: Machine) -> Iterator[Group | Skipped]:
    """Every distinct shape of the networks, forward and with gradients."""
    batch = 2 if options.quick else (256 if machine.has_gpu else 8)
    forms = {
        "depthwise": (("shifted depthwise",) if machine.has_gpu else ()) + _no_kernels(machine),
        "norm": _no_kernels(machine),
    }
    for model in options.models or OPERATORS:
        for op in OPERATORS.get(model, shapes.OPS):
            for mode in DIRECTIONS:
                found = shapes.operators(zoo.get(model), (op,), mode, batch, machine.dtype)
                tasks = tuple(found[::QUICK_SHAPES] if options.quick else found)
                if tasks:
                    contenders = ("ours", "lax", CHANNELS_LAST, *forms.get(op, ()))
                    yield Group("operators", tasks, contenders)


def steps(options: Options, machine: Machine) -> Iterator[Group | Skipped]:
    """Training and inference steps of whole networks."""
    layouts = (CHANNELS_LAST,) if machine.has_gpu else EAGER
    peers = ("stock Flax", *layouts, COMPILED, *_no_kernels(machine))
    for model in options.models or (QUICK_MODELS if options.quick else STEPS):
        for mode in MODES:
            yield from _races("steps", _step(model, mode, options, machine), model, peers, machine)


def dense(options: Options, machine: Machine) -> Iterator[Group | Skipped]:
    """Training and inference steps of a segmenter and a detector; the loss is the outputs' mean square."""
    layouts = (CHANNELS_LAST,) if machine.has_gpu else EAGER
    for model in options.models or DENSE_STEPS:
        batch, gpu_batch, side = DENSE_STEPS.get(model, (*OTHER_BATCHES, SIDE))
        if not isinstance(zoo.get(model).head, MapHead):
            yield Skipped("dense", f"skipped: {model} classifies whole images")
            continue
        for mode in MODES:
            batch = gpu_batch if machine.has_gpu else batch
            task = Step(model, mode, batch, min(side, SIDE) if options.quick else side, machine.dtype)
            yield from _races("dense", task, model, layouts, machine)


def memory(options: Options, machine: Machine) -> Iterator[Group | Skipped]:
    """Peak memory of training steps."""
    for model in options.models or (QUICK_MODELS[:1] if options.quick else MEMORY):
        task = _step(model, "train", options, machine)
        yield from _races("memory", task, model, ("stock Flax", CHANNELS_LAST), machine, "bytes")


def _races(
    section: str, task: Step | None, model: str, peers: tuple[str, ...], machine: Machine, unit: str = "s"
) -> Iterator[Group | Skipped]:
    """All in one race; on a GPU, whose memory does not hold them all, ours against each in turn."""
    if task is None:
        yield Skipped(section, f"skipped: {model} is not in the zoo")
        return
    for racing in [(peer,) for peer in peers] if machine.has_gpu else [peers]:
        yield Group(section, (task,), ("ours", *racing), unit=unit)


def compiling(options: Options, machine: Machine) -> Iterator[Group | Skipped]:
    """Time to the end of the first training step against depth, cold and with a warm cache."""
    for model in options.models or (QUICK_MODELS if options.quick else DEPTHS):
        side = DEPTHS.get(model, min(SIDE, zoo.get(model).resolution))
        contenders = ("ours", "ours, warm cache", "stock Flax")
        task = FirstStep(model, 8, side, machine.dtype)
        yield Group("compile", (task,), contenders, fresh=True, warmups=0)


def loader(options: Options, machine: Machine) -> Iterator[Group | Skipped]:
    """Decoded photos a second and core, streamed by as many workers as cores."""
    if not options.data:
        why = "no photos given (--data=DIR: a folder or archive with one sub-folder a class)"
        yield Skipped("loader", f"skipped: {why}")
        return
    images = 512 if options.quick else 4096
    contenders = ("ours", "ours, threads", "torch DataLoader", "torch DataLoader, full decode")
    for side in SIDES[:1] if options.quick else SIDES:
        task = Load(os.path.abspath(options.data), side, 32, machine.cores, images)
        yield Group("loader", (task,), contenders)


def epoch(options: Options, machine: Machine) -> Iterator[Group | Skipped]:
    """Whole processes of one epoch, over images that are as many and as large as CIFAR-10's."""
    train, held_out = (n // 50 for n in CIFAR) if options.quick else CIFAR
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "images.npz"
        _write_images(path, {"train": train, "test": held_out})
        for model in options.models or (EPOCH,):
            task = Epoch(model, str(path), train, dtype=machine.dtype)
            yield Group("epoch", (task,), ("ours", *EAGER), fresh=True, warmups=0)


def _write_images(path: Path, splits: dict[str, int]) -> None:
    rng, arrays = np.random.default_rng(0), {}
    for name, count in splits.items():
        arrays[f"{name}_image"] = rng.integers(0, 256, (count, 32, 32, 3), np.uint8)
        arrays[f"{name}_label"] = np.arange(count) % 10
    np.savez(path, **arrays)


def devices(options: Options, machine: Machine) -> Iterator[Group | Skipped]:
    """Training steps on 1, 2, 4, ... devices, the batch of each device or that of all kept."""
    most = VIRTUAL if machine.backend == "cpu" else machine.devices
    counts = [2**i for i in range(most.bit_length()) if 2**i <= most]
    for model in options.models or (QUICK_MODELS[1:] if options.quick else PARALLEL):
        step = _step(model, "train", options, machine)
        if step is None:
            yield Skipped("devices", f"skipped: {model} is not in the zoo")
            continue
        tasks = tuple(
            Parallel(
                model, mode, step.batch * (n if mode == "weak scaling" else 1), step.resolution, n, step.dtype
            )
            for mode in ("weak scaling", "strong scaling")
            for n in counts
        )
        yield Group("devices", tasks, ("ours", "ours, jit"))


def _no_kernels(machine: Machine) -> tuple[str, ...]:
    """Where our C++ kernels are in use, the forms that take their place elsewhere are measured too."""
    return ("ours, no kernels",) if machine.native else ()


def _step(model: str, mode: str, options: Options, machine: Machine) -> Step | None:
    """The step as this machine runs it; None where the zoo has no such network."""
    try:
        own = zoo.get(model).resolution
    except KeyError:
        return None
    batch, gpu_batch = STEPS.get(model, OTHER_BATCHES)
    side = min(own, SIDE) if options.quick else own
    return Step(model, mode, gpu_batch if machine.has_gpu else batch, side, machine.dtype)


SECTIONS: dict[str, Callable[[Options, Machine], Iterator[Group | Skipped]]] = {
    "operators": operators,
    "steps": steps,
    "dense": dense,
    "compile": compiling,
    "loader": loader,
    "memory": memory,
    "epoch": epoch,
    "devices": devices,
}
