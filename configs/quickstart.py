"""Quickstart: a small EfficientNet on real handwritten digits, compound-scaled to three sizes.

Data: the 1,797 8 x 8 digits that scikit-learn ships (UCI ML repository). Rule: arXiv 1905.11946.
Command: python -m experiments.sweep --config=configs/quickstart.py --workdir=runs/quickstart
Expected: about 73, 89 and 97 % test accuracy after 5 epochs, two seeds a size, in about 3 minutes on two CPU
    cores that do other work as well.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.seed = 0

    config.model = ConfigDict()
    config.model.name = "efficientnet_b0"
    config.model.stages = [1, 2, 4]
    config.model.base_width = 0.25
    config.model.base_resolution = 8
    config.model.stem = "small"
    config.model.strides = [1, 1, 2, 2]
    config.model.rounding = "narrow"
    config.model.phi = 0.0
    config.model.drop_rate = 0.1
    config.model.drop_path_rate = 0.0

    config.data = ConfigDict()
    config.data.source = "digits"

    config.augment = ConfigDict()
    config.augment.crop = "pad"
    config.augment.pad = 1

    config.optimizer = ConfigDict()
    config.optimizer.name = "rmsprop"
    config.optimizer.lr = 0.016
    config.optimizer.eps = 1e-3
    config.optimizer.weight_decay = 1e-5
    config.optimizer.decay_mask = "no_norm"

    config.schedule = ConfigDict()
    config.schedule.name = "cosine"
    config.schedule.warmup = "1 epochs"

    config.train = ConfigDict()
    config.train.batch = 64
    config.train.duration = "5 epochs"
    config.train.label_smoothing = 0.1
    config.train.ema = 0.99
    config.train.eval_every = "5 epochs"
    config.train.checkpoint_every = "5 epochs"
    return config


def get_sweep() -> list[dict]:
    return [{"model.phi": phi, "seed": seed} for phi in (-2.0, 0.0, 2.0) for seed in (0, 1)]
