"""The coefficient grid of compound scaling on a photo folder: seven (alpha, beta, gamma), three seeds each.

Data: one sub-folder a class in train and val (folders, .tar or .zip), here Imagenette at 224 px; photos of
    your own work too.
Rules: arXiv 1905.11946 section 4, step 2, on a small CIFAR ResNet. Dated 2026-11-26; a proxy sized for two
CPU cores, not a record: 150 steps of 64 images are 6 epochs of 1,600 photos.
Command: python -m experiments.coefficients --config=configs/coefficients_photos.py \
    --workdir=runs/coefficients --config.data.dir=DIR
DIR holds train/ and val/, or train.tar and val.tar.
Expected: width alone 36.25 % of validation (test 32.38), the paper's coefficients 32.75 (30.71), depth alone
    26.00 (23.75), the base 30.42 (26.79); no two of them can be told apart, with 3.9 points between runs.
    About 15 core-minutes (experiments/results/coefficients_photos), on two cores that others kept busy for 45
    minutes.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.seed = 0

    config.model = ConfigDict()
    config.model.name = "cifar_resnet20"
    # Five blocks a stage, so that depth can grow by fifths, and widths to the channel: coarser rounding would
    # give several points of the grid one network
    config.model.base_depth = 5 / 3
    config.model.base_width = 10 / 16
    config.model.base_resolution = 52
    config.model.stem = "small"
    config.model.strides = [2, 2, 2, 2]
    config.model.rounding = "whole"

    config.data = ConfigDict()
    config.data.source = "folder"
    config.data.test = "val"
    config.data.validation_fraction = 0.2
    config.data.limit = 2000

    config.augment = ConfigDict()
    config.augment.crop = "resized"
    config.augment.area = [0.35, 1.0]
    config.augment.flip = True
    config.augment.eval_crop = 0.875

    config.optimizer = ConfigDict()
    config.optimizer.name = "sgd"
    config.optimizer.lr = 0.1
    config.optimizer.weight_decay = 1e-4

    config.schedule = ConfigDict()
    config.schedule.name = "cosine"
    config.schedule.warmup = "30 steps"

    config.train = ConfigDict()
    config.train.batch = 64
    config.train.duration = "150 steps"
    config.train.label_smoothing = 0.1
    config.train.eval_every = "150 steps"
    config.train.checkpoint_every = "150 steps"
    return config


def get_grid() -> dict:
    return {"step": 0.2, "tolerance": 0.05, "seeds": 3}
