"""DenseNet-40 with growth rate 12 on CIFAR-10 with augmentation (C10+).

Data: CIFAR-10 through TFDS, 50,000 training images. Paper: arXiv 1608.06993 section 4.2, Table 2. Dated
    2026-11-25.
Command: python -m experiments.sweep --config=configs/cifar10_densenet_40_12.py \
    --workdir=runs/densenet_40_12 --config.data.dir=DIR
DIR is a tensorflow_datasets directory that holds the prepared set (array_record).
Expected: 94.76 % test accuracy (Table 2: an error of 5.24).
Cost: 229,500 steps of 64 a seed; 2.3 x 10^16 training FLOPs.
Differs: 1,000 of the training images are the validation split, since a run chooses nothing by test images.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.seed = 0

    config.model = ConfigDict()
    config.model.name = "densenet_40_12"

    config.data = ConfigDict()
    config.data.source = "tfds"
    config.data.name = "cifar10"
    config.data.test = "test"
    config.data.validation_fraction = 0.02

    config.augment = ConfigDict()
    config.augment.crop = "pad"
    config.augment.pad = 4
    config.augment.flip = True

    config.optimizer = ConfigDict()
    config.optimizer.name = "sgd"
    config.optimizer.lr = 0.1
    config.optimizer.lr_batch = 64
    config.optimizer.momentum = 0.9
    config.optimizer.nesterov = True
    config.optimizer.weight_decay = 1e-4
    config.optimizer.decay_mask = "all"

    config.schedule = ConfigDict()
    config.schedule.name = "step"
    config.schedule.factor = 0.1
    config.schedule.boundaries = ["150 epochs", "225 epochs"]

    config.train = ConfigDict()
    config.train.batch = 64
    config.train.duration = "300 epochs"
    config.train.eval_every = "10 epochs"
    config.train.checkpoint_every = "10 epochs"
    return config


def get_sweep() -> list[dict]:
    return [{"seed": seed} for seed in range(3)]
