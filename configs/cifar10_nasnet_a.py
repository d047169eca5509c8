"""NASNet-A (6 @ 768) on CIFAR-10.

Data: CIFAR-10 through TFDS, 50,000 training images. Paper: arXiv 1707.07012 section 4.1, Table 1; values from
    tensorflow/models research/slim/nets/nasnet/nasnet.py (its notes and defaults). Dated 2026-11-25.
Command: python -m experiments.sweep --config=configs/cifar10_nasnet_a.py --workdir=runs/nasnet_cifar \
    --config.data.dir=DIR
DIR is a tensorflow_datasets directory that holds the prepared set (array_record).
Expected: 96.59 % test accuracy (Table 1 without cutout, an error of 3.41; with cutout 2.65).
Cost: 918,600 steps of 32 a seed; 9.6 x 10^16 training FLOPs.
Differs: 1,000 of the training images are the validation split.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.seed = 0

    config.model = ConfigDict()
    config.model.name = "nasnet_cifar_6_768"
    config.model.auxiliary = True
    config.model.drop_path_rate = 0.4
    config.model.norm_momentum = 0.9

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
    config.optimizer.lr = 0.025
    config.optimizer.lr_batch = 32
    config.optimizer.momentum = 0.9
    config.optimizer.weight_decay = 5e-4
    config.optimizer.decay_mask = "kernels"
    config.optimizer.clip_norm = 5.0

    config.schedule = ConfigDict()
    config.schedule.name = "cosine"
    config.schedule.drop_path = "linear"

    config.train = ConfigDict()
    config.train.batch = 32
    config.train.duration = "600 epochs"
    config.train.eval_every = "20 epochs"
    config.train.checkpoint_every = "10 epochs"
    return config


def get_sweep() -> list[dict]:
    return [{"seed": seed} for seed in range(3)]
