"""Photos in a folder: a small EfficientNet and a small ResNet, compound-scaled to three sizes.

Data: one sub-folder a class in train and val (folders, .tar or .zip), here Imagenette at 224 px.
Rules: arXiv 1905.11946. Dated 2026-11-22; a proxy sized for two CPU cores, not a record.
Command: python -m experiments.sweep --config=configs/photos.py --workdir=runs/photos \
    --config.data.dir=DIR
DIR holds train/ and val/, or train.tar and val.tar.
Expected: EfficientNet 53.8, 54.9, 58.8 and ResNet 39.4, 42.6, 41.8 % test accuracy;
    about 13 minutes on two CPU cores that also ran tests (experiments/results/photos).
"""

from ml_collections import ConfigDict

# The two bases, small enough for a laptop: three stages of EfficientNet-B0, and a CIFAR ResNet of
# one block a stage; both scaled by the paper's compound rule.
BASES = {
    "efficientnet": {
        "model.name": "efficientnet_b0",
        "model.stages": [1, 2, 4],
        "model.base_width": 0.25,
        "model.strides": [2, 1, 2, 2],
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
        "model.strides": [2, 1, 2, 2],
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
    config.model.base_resolution = 48
    config.model.drop_rate = 0.0
    config.model.drop_path_rate = 0.0

    config.data = ConfigDict()
    config.data.source = "folder"
    config.data.test = "val"

    config.augment = ConfigDict()
    config.augment.crop = "resized"
    config.augment.area = [0.35, 1.0]
    config.augment.flip = True
    config.augment.eval_crop = 0.875

    config.schedule = ConfigDict()
    config.schedule.name = "cosine"
    config.schedule.warmup = "50 steps"

    config.train = ConfigDict()
    config.train.batch = 64
    config.train.duration = "420 steps"
    config.train.label_smoothing = 0.1
    config.train.ema = 0.99
    config.train.eval_every = "84 steps"
    config.train.checkpoint_every = "84 steps"
    return config


def get_sweep() -> list[dict]:
    return [{**base, "model.phi": phi} for base in BASES.values() for phi in (-1.0, 0.0, 1.0)]
