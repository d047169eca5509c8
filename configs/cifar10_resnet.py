"""ResNet-20, 32, 44, 56 and 110 on CIFAR-10, as in the paper: its Table 6.

Data: CIFAR-10 through TFDS, 45,000 training and 5,000 validation images. Paper: arXiv 1512.03385 section 4.2.
    Dated 2026-11-25.
Command: python -m experiments.sweep --config=configs/cifar10_resnet.py:56 --workdir=runs/cifar_resnet56 \
    --config.data.dir=DIR
DIR is a tensorflow_datasets directory that holds the prepared set (array_record).
Expected: 91.25, 92.49, 92.83, 93.03 and 93.57 % test accuracy (Table 6; the last is the best of 5, whose mean
    is 93.39).
Cost: 64,000 steps of 128 a seed; 2.0, 3.4, 4.8, 6.2 and 12.4 x 10^15 training FLOPs.
Differs: the mean of each channel is subtracted, not of each pixel. ResNet-110 starts with 400 steps of linear
    warm-up (the paper: at 0.01 until the training error is below 80 %, about 400 steps). Whether the paper
    decays batch norm is not said; Caffe does by default, and so does this.
"""

from ml_collections import ConfigDict

ARGUMENTS = ("20", "32", "44", "56", "110")


def get_config(depth: str = "20") -> ConfigDict:
    config = ConfigDict()
    config.seed = 0

    config.model = ConfigDict()
    config.model.name = f"cifar_resnet{depth}"

    config.data = ConfigDict()
    config.data.source = "tfds"
    config.data.name = "cifar10"
    config.data.test = "test"
    config.data.validation_fraction = 0.1

    config.augment = ConfigDict()
    config.augment.crop = "pad"
    config.augment.pad = 4
    config.augment.flip = True

    config.optimizer = ConfigDict()
    config.optimizer.name = "sgd"
    config.optimizer.lr = 0.1
    config.optimizer.lr_batch = 128
    config.optimizer.momentum = 0.9
    config.optimizer.weight_decay = 1e-4
    config.optimizer.decay_mask = "all"

    config.schedule = ConfigDict()
    config.schedule.name = "step"
    config.schedule.warmup = "400 steps" if depth == "110" else "0 steps"
    config.schedule.factor = 0.1
    config.schedule.boundaries = ["32000 steps", "48000 steps"]

    config.train = ConfigDict()
    config.train.batch = 128
    config.train.duration = "64000 steps"
    config.train.eval_every = "4000 steps"
    config.train.checkpoint_every = "4000 steps"
    return config


def get_sweep(depth: str = "20") -> list[dict]:
    return [{"seed": seed} for seed in range(5)]
