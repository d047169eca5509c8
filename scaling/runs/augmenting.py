"""How training images are augmented, as a value: the section `augment` of a config."""

from __future__ import annotations

from dataclasses import dataclass, field

from scaling.arch.fields import LATER


@dataclass(frozen=True)
class AugmentSpec:
    """Training augmentation, applied on the device in the order of the fields.

    `crop` is none, pad (pad by `pad` pixels, by `pad_mode` with black or the image's reflection, and crop
    back) or resized (area in `area`, aspect in `aspect`); `flip` is horizontal; RandAugment applies
    `randaugment_layers` operations of `randaugment_magnitude` (0 to 10); `erase` is the probability of
    random erasing; `mixup` and `cutmix` are Beta parameters, 0 for off. `eval_crop` is the centre fraction
    kept in evaluation. `autoaugment` names a found policy that stands in RandAugment's place: "v0" is that of
    EfficientNet's ImageNet recipe, "cifar10" of arXiv 1805.09501. `normalise` is by the training set's mean
    and deviation ("set"), or by each image's own values (`scaling.data.per_image`), in evaluation too. Of
    denoising: `noise` is the standard deviation of what is added to pixels from 0 to 255, in training and in
    evaluation. Of sounds: `gain` is that of their level and of a tilt over their bands, in decibels; each
    band has two thirds of it by itself.
    """

    crop: str = "none"
    pad: int = 4
    area: tuple[float, float] = (0.08, 1.0)
    aspect: tuple[float, float] = (3 / 4, 4 / 3)
    flip: bool = False
    randaugment_layers: int = 0
    randaugment_magnitude: float = 9.0
    erase: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0
    eval_crop: float = 1.0
    pad_mode: str = field(default="black", metadata=LATER)
    autoaugment: str = field(default="", metadata=LATER)
    noise: float = field(default=0.0, metadata=LATER)
    gain: float = field(default=0.0, metadata=LATER)
    normalise: str = field(default="set", metadata=LATER)


CHOICES: dict[str, tuple[str, ...]] = {
    "crop": ("none", "pad", "resized"),
    "pad_mode": ("black", "reflect"),
    "autoaugment": ("", "v0", "cifar10"),
    "normalise": ("set", "min_max", "z_score", "l1", "l2"),
}
