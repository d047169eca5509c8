"""How parameters are updated, as values: the sections `optimizer` and `schedule` of a config."""

from __future__ import annotations

from dataclasses import dataclass, field

from scaling.arch.fields import LATER


@dataclass(frozen=True)
class OptimizerSpec:
    """The update rule. `name` is sgd, rmsprop (TensorFlow's), adamw, lamb, lars or adagrad.

    The peak learning rate is `lr * batch / lr_batch` (`lr_batch=0`: `lr` as it is). Weight decay is
    "coupled" (L2, added to the gradient) or "decoupled"; `decay_mask` says what is decayed: "kernels"
    (convolutions and dense), "no_norm" (all but batch norm: EfficientNet's recipe) or "all".
    `frozen` names stages that are not trained ("stem" for all of the stem, "stages_0"): they run in
    evaluation mode, and their parameters and batch-norm statistics stay what they are. With `keep_zeros`
    parameters that are exactly 0 stay so: those that a pruned `model.init` lacks. `trust` is LARS's
    coefficient; its ratio scales what `decay_mask` names, all else moves as by SGD.
    """

    name: str = "sgd"
    lr: float = 0.1
    lr_batch: int = 256
    momentum: float = 0.9
    nesterov: bool = False
    rms_decay: float = 0.9
    b1: float = 0.9
    b2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 0.0
    decay: str = "coupled"
    decay_mask: str = "kernels"
    clip_norm: float | None = None
    frozen: tuple[str, ...] = field(default=(), metadata=LATER)
    keep_zeros: bool = field(default=False, metadata=LATER)
    trust: float = field(default=0.001, metadata=LATER)


@dataclass(frozen=True)
class ScheduleSpec:
    """The learning rate over time: linear warm-up, then cosine, exponential, step, poly or constant.

    `exponential` multiplies by `factor` every `every` (a staircase: Caffe's "step" policy); `step` multiplies
    by `factor` at each of `boundaries`; `cosine` ends at `final` times the peak; `poly` is the peak times
    the `power` of what is left of training (Caffe's). With `drop_path` "linear" the rates of
    dropping paths grow from 0 to the network's over training (ScheduledDropPath: arXiv 1707.07012).
    """

    name: str = "cosine"
    warmup: str = "0 steps"
    final: float = 0.0
    factor: float = 0.97
    every: str = "2.4 epochs"
    boundaries: tuple[str, ...] = ()
    power: float = field(default=0.5, metadata=LATER)
    drop_path: str = field(default="constant", metadata=LATER)


CHOICES: dict[tuple[str, str], tuple[str, ...]] = {
    ("optimizer", "name"): ("sgd", "rmsprop", "adamw", "lamb", "lars", "adagrad"),
    ("optimizer", "decay"): ("coupled", "decoupled"),
    ("optimizer", "decay_mask"): ("kernels", "no_norm", "all"),
    ("schedule", "name"): ("cosine", "exponential", "step", "poly", "constant"),
    ("schedule", "drop_path"): ("constant", "linear"),
}
