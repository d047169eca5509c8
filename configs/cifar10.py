"""CIFAR-10: a small EfficientNet and a small ResNet, compound-scaled to three sizes.

Data: CIFAR-10 through TFDS (Krizhevsky 2009), 32 px colour.
Rules: arXiv 1905.11946. Dated 2026-11-22; a proxy sized for two CPU cores, not a record.
Command: python -m experiments.sweep --config=configs/cifar10.py --workdir=runs/cifar10 \
    --config.data.dir=DIR
DIR is a tensorflow_datasets directory that holds the prepared set (array_record).
Expected: EfficientNet 44.0, 46.3, 49.6 and ResNet 39.7, 38.5, 42.4 % test accuracy;
    about 15 minutes on two CPU cores that also ran tests (experiments/results/cifar10).
"""

from ml_collections import ConfigDict

# The two bases, small enough for a laptop: three stages of EfficientNet-B0, and a CIFAR ResNet of
# one block a stage; both scaled by the paper's compound rule.
BASES = {
    "efficientnet": {
        "model.name": "efficientnet_b0",
        "model.stages": [1, 2, 4],
        "model.base_width": 0.25,
        "model.strides": [1, 1, 2, 2],
        "optimizer.name": "rmsprop",
        "optimizer.lr": 0.016,
        "optimizer.eps": 1e-3,
        "optimizer.weight_decay": 1e-5,
        "optimizer.decay_mask": "no_norm",
    },
    "resnet": {
        "model.name": "cifar_resnet20",
        "model.base_depth": 1 / 3,
        "model.base_width": 0.5,
        "model.strides": [1, 1, 2, 2],
        "optimizer.name": "sgd",
        "optimizer.lr": 0.1,
        "optimizer.weight_decay": 1e-4,
    },
}


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.seed = 0

    config.model = ConfigDict()
    config.model.stem = "small"
    config.model.rounding = "narrow"
    config.model.base_resolution = 16
    config.model.drop_rate = 0.0
    config.model.drop_path_rate = 0.0

    config.data = ConfigDict()
    config.data.source = "tfds"
    config.data.name = "cifar10"

    config.augment = ConfigDict()
    config.augment.crop = "pad"
    config.augment.pad = 4
    config.augment.flip = True

    config.schedule = ConfigDict()
    config.schedule.name = "cosine"
    config.schedule.warmup = "50 steps"

    config.train = ConfigDict()
    config.train.batch = 128
    config.train.duration = "500 steps"
    config.train.label_smoothing = 0.1
    config.train.ema = 0.99
    config.train.eval_every = "125 steps"
    config.train.checkpoint_every = "125 steps"
    return config


def get_sweep() -> list[dict]:
    return [{**base, "model.phi": phi} for base in BASES.values() for phi in (-1.0, 0.0, 1.0)]
