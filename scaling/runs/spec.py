"""What one run is: frozen values with every default, built from a config at one border.

A ConfigDict or a plain dict is read in `RunSpec.from_config` alone, which also checks it and pins the files
that it names, and the spec of a finished run in `RunSpec.from_dict`. Durations are text with a unit,
"30 epochs" or "500 steps" (`Duration.parse`).
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from scaling.arch.arch import Arch
from scaling.arch.fields import LATER
from scaling.border.typed import build, changed, nearest, plain, read_by, written
from scaling.rules.factors import RULES, Detectors, Table, dwr
from scaling.runs.augmenting import CHOICES as AUGMENT_CHOICES
from scaling.runs.augmenting import AugmentSpec
from scaling.runs.duration import Duration
from scaling.runs.learning import CHOICES as LEARNING_CHOICES
from scaling.runs.learning import OptimizerSpec, ScheduleSpec
from scaling.runs.pinning import SOURCES, fingerprint, pin_data, pin_model, unpinned_as
from scaling.runs.ranges import check_ranges

TRACKERS = "wandb", "mlflow", "trackio"
NON_FINITE = STOP, SKIP, ROLLBACK = "stop", "skip", "rollback"


def execution(default: Any, later: Mapping[str, bool] = MappingProxyType({})) -> Any:
    """A field that says how a run is executed, not what it computes: left out of the run id."""
    return field(default=default, metadata={"identity": False, **later})


@dataclass(frozen=True)
class ModelSpec:
    """The network: a zoo name, a function in a file or an Arch, made a base, then scaled by a rule.

    `name` is of the zoo, or "nets/mixer.py:network" for a function of your own (docs/own_network.md), to
    which a run adds "@" and a digest of the file's text. `arch` replaces it. `init` names weights to start
    from: a .safetensors file as `scaling.save` writes it, to which a run adds a digest too, or a name of
    `scaling.from_pretrained`; the classifier is new where the number of classes differs.

    The base is `name` (only `stages` of it, by index, if given) with `base_depth` and `base_width` applied,
    `base_resolution` set and, for small images, `stem="small"` and `strides`; `rounding` replaces the
    architecture's (a name of `scaling.rules.rounding.ROUNDINGS`). `rule="compound"` scales it by
    `alpha**phi`, `beta**phi`, `gamma**phi`; `rule="axes"` by `depth`, `width`, `resolution`; the other rules
    are those of `scaling.rules.factors.RULES`: "depth", "width", "resolution", "uniform" and "dwr" (with its
    `exponent`) double the multiply-adds with every `phi`, "efficientnet", "resnet_rs" and "mobilenet" have a
    published `size` ("b3", "152@224", "0.75@192"), and "efficientdet", of detectors, takes a `size` ("d1") or
    a `phi`. Rates and the momentum (decay) of batch norm keep the architecture's own where None. `head`
    replaces the head by one of `scaling.arch.heads.HEADS`
    (empty: its own), `output_stride` has later maps dilated, `auxiliary` adds the classifiers of
    `scaling.zoo.AUXILIARIES`, which the family's recipe trains with. `scan` runs repeated blocks as a
    loop (None: where the backend gains by it). `remat` saves memory by time: the blocks of all stages, or of
    those listed by index, are computed again in the backward pass (on a CPU it helps stages that run as a
    loop only)."""

    name: str = "efficientnet_b0"
    arch: Arch | None = field(default=None, metadata=read_by(Arch.from_dict))
    stages: tuple[int, ...] = ()
    base_depth: float = 1.0
    base_width: float = 1.0
    base_resolution: int | None = None
    stem: str = ""
    strides: tuple[int, ...] = ()
    rounding: str = ""
    rule: str = "compound"
    phi: float = 0.0
    alpha: float = 1.2
    beta: float = 1.1
    gamma: float = 1.15
    depth: float = 1.0
    width: float = 1.0
    resolution: float = 1.0
    drop_rate: float | None = None
    drop_path_rate: float | None = None
    norm_momentum: float | None = None
    dtype: str = "float32"
    size: str = field(default="", metadata=LATER)
    exponent: float = field(default=0.8, metadata=LATER)
    init: str = field(default="", metadata=LATER)
    head: str = field(default="", metadata=LATER)
    output_stride: int | None = field(default=None, metadata=LATER)
    auxiliary: bool = field(default=False, metadata=LATER)
    scan: bool | None = execution(None)
    remat: bool | tuple[int, ...] = execution(False)


@dataclass(frozen=True)
class DataSpec:
    """Where images come from and how they are split.

    `source` is digits, folder, npz, tfds or omniglot, or, of images with boxes, coco, voc, boxes or tfds, of
    sounds fsdd; `name` the TFDS name; `dir` a directory or file. A set without a name (all but digits and
    tfds) is identified by `fingerprint`, a digest of the listing of `dir`, which a run adds. Split names
    follow the source. An empty `validation` takes `validation_fraction` of the training split, by
    `split_seed`; an empty `test` leaves the test split unread (a search). `limit` keeps that many training
    images, the first after the split. `store` is the side in pixels at which images are kept in memory (None:
    their own side for arrays; for photos the network's resolution over the evaluation crop). `void` is the
    value of a mask that counts for nothing, and `binary` takes all its other values above 0 as one.
    `resident` keeps the training set on the device (None: where it fits); otherwise `workers` processes
    stream it."""

    source: str = "digits"
    name: str = ""
    dir: str = execution("")
    train: str = "train"
    validation: str = ""
    test: str = "test"
    validation_fraction: float = 0.1
    split_seed: int = 0
    limit: int | None = None
    store: int | None = None
    resident: bool | None = execution(None)
    workers: int = execution(0)
    fingerprint: str = field(default="", metadata=LATER)
    void: int | None = field(default=None, metadata=LATER)
    binary: bool = field(default=False, metadata=LATER)


@dataclass(frozen=True)
class TrainSpec:
    """The loop. `batch` is global, over all devices, hosts and `accumulate` micro-batches.

    `batch_norm` is "local" or "synced" statistics; `ema` the decay of averaged parameters and
    statistics (0: none), ramped as min(ema, (1 + step) / (10 + step)) with `ema_ramp`.
    `progressive` lists (fraction of training, fraction of the resolution): from that point on,
    train at that part of the final resolution; `progressive_drop_rate` and `progressive_magnitude` may give
    each entry its own dropout rate and RandAugment magnitude. `timeout` is in seconds, 0 for none.
    `pictures` has the best, median and worst test examples drawn, where the task can.
    `non_finite` says what follows a loss, gradient or state that is not finite: "stop" ends the run as "nan";
    "skip" leaves that update out, `non_finite_limit` times in a row at most; "rollback" goes back to the
    newest checkpoint that was due, at a learning rate `rollback_rate` times what it was, `non_finite_limit`
    times in all, and meets the same batches in the same order again.
    A sweep ends a trial that for `silence` seconds prints no line and takes no second of processor time
    (0: it waits). `cpus`, `gpus` and `memory` (GiB) are what a cluster (`--engine=ray`) must have free to
    start it; without `gpus` it sees none.
    `trackers` names what hears of the run as it goes, of `TRACKERS`; its package is to be installed.
    Of detection: `box_loss` is smooth_l1 or a loss of the overlap (`scaling.tasks.box_losses`), which counts
    `box_weight` times; predictions of less than `least_score` are dropped in evaluation, and those that
    overlap a better one of their class by an IoU above `most_overlap` (`suppression` "greedy"), or they get
    lower scores by their overlap ("soft"). The second stage of a head in two learns from `regions` boxes of
    each image; with `alternate` both learn in turns, in each by the whole schedule. Of masks of things, those
    count whose score is `sure_score` or more.
    With `per_class` a batch holds that many examples of each of its classes, which are drawn (0: it takes
    examples as they come). Of embeddings: `embedding_loss` is a name of `scaling.tasks.embedding_losses`,
    `margin` its margin (None: the paper's), `scale` what cosines are multiplied by.
    Of classes that have codes: `class_loss` "distance" is the squared distance to the own code, "map" counts
    those to the others too, up to about `margin` (`scaling.tasks.losses`).
    """

    batch: int = 128
    duration: str = "10 epochs"
    label_smoothing: float = 0.0
    ema: float = 0.0
    ema_ramp: bool = True
    accumulate: int = 1
    batch_norm: str = "local"
    progressive: tuple[tuple[float, float], ...] = ()
    eval_batch: int = execution(256)
    eval_every: str = execution("1 epochs")
    checkpoint_every: str = execution("1 epochs")
    keep: int = execution(2)
    log_every: str = execution("20 steps")
    engine: str = execution("pmap")
    devices: int | None = execution(None)
    steps_per_call: int | None = execution(None)
    timeout: float = execution(0.0)
    pictures: bool = execution(True)
    progressive_drop_rate: tuple[float, ...] = field(default=(), metadata=LATER)
    progressive_magnitude: tuple[float, ...] = field(default=(), metadata=LATER)
    box_loss: str = field(default="smooth_l1", metadata=LATER)
    box_weight: float = field(default=1.0, metadata=LATER)
    least_score: float = field(default=0.05, metadata=LATER)
    most_overlap: float = field(default=0.5, metadata=LATER)
    suppression: str = field(default="greedy", metadata=LATER)
    regions: int = field(default=512, metadata=LATER)
    sure_score: float = field(default=0.5, metadata=LATER)
    alternate: bool = field(default=False, metadata=LATER)
    non_finite: str = field(default=STOP, metadata=LATER)
    non_finite_limit: int = field(default=5, metadata=LATER)
    rollback_rate: float = field(default=0.5, metadata=LATER)
    silence: float = execution(600.0, LATER)
    cpus: float = execution(1.0, LATER)
    gpus: float = execution(0.0, LATER)
    memory: float = execution(0.0, LATER)
    per_class: int = field(default=0, metadata=LATER)
    embedding_loss: str = field(default="triplet", metadata=LATER)
    margin: float | None = field(default=None, metadata=LATER)
    scale: float = field(default=30.0, metadata=LATER)
    class_loss: str = field(default="cross_entropy", metadata=LATER)
    trackers: tuple[str, ...] = execution(())


@dataclass(frozen=True)
class RunSpec:
    """One training run; `id` names what it computes (not where or how fast).

    `task` is what the network is trained for, a name of `scaling.tasks`.
    """

    seed: int = 0
    model: ModelSpec = field(default_factory=ModelSpec)
    data: DataSpec = field(default_factory=DataSpec)
    augment: AugmentSpec = field(default_factory=AugmentSpec)
    optimizer: OptimizerSpec = field(default_factory=OptimizerSpec)
    schedule: ScheduleSpec = field(default_factory=ScheduleSpec)
    train: TrainSpec = field(default_factory=TrainSpec)
    task: str = field(default="classification", metadata=LATER)

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> RunSpec:
        """Build from what `to_dict` gave, as a row holds it: no file is looked at, no value checked.

        Keys that came later may lack; ValueError on an unknown one or a wrong type.
        """
        return build(RunSpec, values, "config")

    @staticmethod
    def from_config(config: Mapping[str, Any]) -> RunSpec:
        """Build from a ConfigDict or nested dict; ValueError on an unknown key or a wrong type or value."""
        to_dict = getattr(config, "to_dict", None)  # a ConfigDict is not a Mapping
        return RunSpec.from_dict(to_dict() if to_dict else config).pinned()

    def pinned(self) -> RunSpec:
        """Check the values and pin files and data by content; ValueError for what no run can have."""
        check(self)
        return dataclasses.replace(self, model=pin_model(self.model), data=pin_data(self.data))

    def revised(self, changes: Mapping[str, Any], tell: Callable[[str, str], str] = fingerprint) -> RunSpec:
        """Return this run with {"section.key": value} changed; only files and data that are new are read.

        `tell` takes fingerprints: `fingerprint`, or a cached one. ValueError as from `from_config`.
        """
        if changes.keys() & {"data.dir", "data.source"}:
            changes = {"data.fingerprint": "", **changes}
        _check_keys(self, changes)
        told = {key.partition(".")[0] for key in changes}
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        kept = {name: plain(value) if name in told else value for name, value in values.items()}
        spec = RunSpec.from_dict(changed(kept, changes))
        check(spec)
        same = (spec.model.name, spec.model.init) == (self.model.name, self.model.init)
        model = spec.model if same else pin_model(spec.model)
        return dataclasses.replace(spec, model=model, data=pin_data(spec.data, tell))

    def same_run_as(self, older: RunSpec) -> bool:
        """Whether this is the run that was written down as `older`, perhaps before data had fingerprints."""
        return dataclasses.replace(self, data=unpinned_as(self.data, older.data)).id == older.id

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-able values; `RunSpec.from_dict(spec.to_dict()) == spec`."""
        return plain(self)

    @property
    def id(self) -> str:
        """Twelve hex digits of the hash of all fields that change the result."""
        return self._id

    @functools.cached_property
    def _id(self) -> str:
        return identity(self)


def _check_keys(spec: RunSpec, changes: Mapping[str, Any]) -> None:
    """Raise ValueError where a whole section would be changed, and what is not said of it lost."""
    for name in changes:
        if dataclasses.is_dataclass(section := getattr(spec, name, None)):
            known = ", ".join(f.name for f in dataclasses.fields(section))
            raise ValueError(f'config.{name} is a section: set its keys by "{name}.key", {known}.')


CHOICES: dict[tuple[str, str], tuple[str, ...]] = {
    ("model", "stem"): ("", "small"),
    ("model", "rule"): ("axes", *RULES),
    ("model", "dtype"): ("float32", "bfloat16"),
    ("data", "source"): tuple(SOURCES),
    **{("augment", key): allowed for key, allowed in AUGMENT_CHOICES.items()},
    **LEARNING_CHOICES,
    ("train", "batch_norm"): ("local", "synced"),
    ("train", "engine"): ("pmap", "jit"),
    ("train", "suppression"): ("greedy", "soft"),
    ("train", "non_finite"): NON_FINITE,
    ("train", "box_loss"): ("smooth_l1", "iou", "giou", "diou", "ciou", "eiou", "alpha_iou", "siou", "wiou"),
    ("train", "class_loss"): ("cross_entropy", "distance", "map"),
    ("train", "embedding_loss"): ("triplet", "contrastive", "softmax", "sphereface", "cosface", "arcface"),
}


def check(spec: RunSpec) -> None:
    """Raise ValueError for values that no run can have, naming value, rule and fix."""
    for (section, key), allowed in CHOICES.items():
        value = getattr(getattr(spec, section), key)
        if value not in allowed:
            raise ValueError(
                f"config.{section}.{key}={value!r} must be one of {allowed}{nearest(value, allowed)}."
            )
    for key in ("silence", "cpus", "gpus", "memory"):
        if (value := getattr(spec.train, key)) < 0:
            raise ValueError(f"config.train.{key}={value} must be at least 0: 0 leaves it out.")
    for key in ("base_depth", "base_width", "depth", "width", "resolution", "alpha", "beta", "gamma"):
        value = getattr(spec.model, key)
        if value <= 0:
            raise ValueError(
                f"config.model.{key}={value} must be above 0: a factor of 1 leaves the axis as it is."
            )
    _check_rule(spec.model)
    check_ranges(spec)
    if spec.optimizer.keep_zeros and not spec.model.init:
        raise ValueError(
            "config.optimizer.keep_zeros is for pruned weights: name them in config.model.init, since new networks "
            "begin with biases of 0."
        )
    if unknown := [name for name in spec.train.trackers if name not in TRACKERS]:
        raise ValueError(
            f"config.train.trackers={spec.train.trackers} must name some of {TRACKERS}{nearest(unknown[0], TRACKERS)}."
        )
    if spec.train.batch < 1 or spec.train.accumulate < 1 or spec.train.batch % spec.train.accumulate:
        raise ValueError(
            f"config.train.batch={spec.train.batch} must be a multiple of "
            f"config.train.accumulate={spec.train.accumulate}, both at least 1."
        )
    texts = (spec.train.duration, spec.train.eval_every, spec.train.checkpoint_every, spec.train.log_every)
    for text in texts + (spec.schedule.warmup, spec.schedule.every) + spec.schedule.boundaries:
        Duration.parse(text)


def _check_rule(model: ModelSpec) -> None:
    _check_read(model)
    rule = RULES.get(model.rule)
    if isinstance(rule, Table) or (isinstance(rule, Detectors) and model.size):
        rule.size(model.size)
        if model.phi:
            raise ValueError(
                f"config.model.size={model.size!r} and config.model.phi={model.phi} both say how large: set one."
            )
    elif model.size:
        tables = ", ".join(name for name, rule in RULES.items() if isinstance(rule, Table | Detectors))
        raise ValueError(
            f"config.model.size={model.size!r} is of a rule with published sizes ({tables}), but config.model.rule="
            f"{model.rule!r} goes by phi or factors: leave size empty."
        )
    dwr(model.exponent)


def _check_read(model: ModelSpec) -> None:
    """Raise ValueError for a factor that the rule does not read, by which the same network had another id."""
    if model.rule == "axes" and model.phi:
        raise ValueError(
            f"config.model.phi={model.phi:g} is not read by rule 'axes', which goes by depth, width and resolution: "
            "leave it at 0, or choose another config.model.rule."
        )
    for axis in ("depth", "width", "resolution"):
        if model.rule != "axes" and (factor := getattr(model, axis)) != 1:
            raise ValueError(
                f"config.model.{axis}={factor:g} is read by rule 'axes' alone, and the rule is {model.rule!r}: set "
                "config.model.rule='axes', or leave it at 1."
            )


def identity(spec: Any) -> str:
    """Twelve hex digits of the hash of a spec's fields, without those that change no result."""
    text = json.dumps(_identity(spec), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _identity(value: Any) -> Any:
    fields = _identified(type(value))
    if fields is None:
        return value
    used = [f for f in fields if "later" not in f.metadata or getattr(value, f.name) != f.default]
    return {f.name: _identity(written(f, value)) for f in used}


@functools.cache
def _identified(cls: type) -> tuple[dataclasses.Field, ...] | None:
    """The fields of a dataclass that change a result; None of any other type."""
    if not dataclasses.is_dataclass(cls):
        return None
    return tuple(f for f in dataclasses.fields(cls) if f.metadata.get("identity", True))
