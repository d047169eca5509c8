"""draft."""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.seed = 0

    config.model = ConfigDict()
    config.model.name = "cifar_resnet20"
    config.model.base_depth = 5 / 3
    config.model.base_width = 10 / 16
    config.model.base_resolution = 20
    config.model.stem = "small"
    config.model.strides = [2, 1, 2, 2]
    config.model.rounding = "whole"

    config.data = ConfigDict()
    config.data.source = "tfds"
    config.data.name = "fashion_mnist"

    config.augment = ConfigDict()
    config.augment.crop = "pad"
    config.augment.pad = 2
    config.augment.flip = True

    config.optimizer = ConfigDict()
    config.optimizer.name = "sgd"
    config.optimizer.lr = 0.1
    config.optimizer.weight_decay = 1e-4

    config.schedule = ConfigDict()
    config.schedule.name = "cosine"
    config.schedule.warmup = "50 steps"

    config.train = ConfigDict()
    config.train.batch = 64
    config.train.duration = "300 steps"
    config.train.label_smoothing = 0.1
    config.train.eval_every = "300 steps"
    config.train.checkpoint_every = "300 steps"
    return config
