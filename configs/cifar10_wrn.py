"""Wide residual networks WRN-16-4, 40-4 and 28-10 on CIFAR-10.

Data: CIFAR-10 through TFDS, 50,000 training images. Paper: arXiv 1605.07146 sections 2 and 3, Tables 5 and 6,
    without dropout. Dated 2026-11-25.
Command: python -m experiments.sweep --config=configs/cifar10_wrn.py:16_4 --workdir=runs/wrn_16_4 \
    --config.data.dir=DIR
DIR is a tensorflow_datasets directory that holds the prepared set (array_record).
Expected: 94.98, 95.47 and 96.00 % test accuracy (medians of 5; Table 6, 5, 5).
Cost: 76,400 steps of 128 a seed; 2.3, 7.6 and 31 x 10^16 training FLOPs.
Differs: 1,000 of the training images are the validation split, since a run chooses nothing by test images.
"""

from ml_collections import ConfigDict

ARGUMENTS = ("16_4", "40_4", "28_10")


def get_config(size: str = "16_4") -> ConfigDict:
    config = ConfigDict()
    config.seed = 0

    config.model = ConfigDict()
    config.model.name = f"wrn_{size}"

    config.data = ConfigDict()
    config.data.source = "tfds"
    config.data.name = "cifar10"
    config.data.test = "test"
    config.data.validation_fraction = 0.02

    config.augment = ConfigDict()
    config.augment.crop = "pad"
    config.augment.pad = 4
    config.augment.flip = True
    config.augment.pad_mode = "reflect"

    config.optimizer = ConfigDict()
    config.optimizer.name = "sgd"
    config.optimizer.lr = 0.1
    config.optimizer.lr_batch = 128
    config.optimizer.momentum = 0.9
    config.optimizer.nesterov = True
    config.optimizer.weight_decay = 5e-4
    config.optimizer.decay_mask = "all"

    config.schedule = ConfigDict()
    config.schedule.name = "step"
    config.schedule.factor = 0.2
    config.schedule.boundaries = ["60 epochs", "120 epochs", "160 epochs"]

    config.train = ConfigDict()
    config.train.batch = 128
    config.train.duration = "200 epochs"
    config.train.eval_every = "10 epochs"
    config.train.checkpoint_every = "10 epochs"
    return config


def get_sweep(size: str = "16_4") -> list[dict]:
    return [{"seed": seed} for seed in range(5)]
