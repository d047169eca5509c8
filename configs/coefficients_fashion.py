"""The coefficient grid of compound scaling on Fashion-MNIST: seven (alpha, beta, gamma), three seeds each.

Data: Fashion-MNIST through TFDS (arXiv 1708.07747), 28 px grey.
Rules: arXiv 1905.11946 section 4, step 2, on a small CIFAR ResNet. Dated 2026-11-26; a proxy sized for two
CPU cores, not a record: 300 steps of 64 images are a third of an epoch.
Command: python -m experiments.coefficients --config=configs/coefficients_fashion.py \
    --workdir=runs/coefficients --config.data.dir=DIR
DIR is a tensorflow_datasets directory that holds the prepared set (array_record).
Expected: resolution alone is best, 79.09 % of validation (test 79.17), depth alone last, 75.41 (75.95); the
    paper's coefficients 77.18 (77.71), 1.91 below the best with an interval of -0.00 to 3.82; the base 76.92
    (77.36). About 25 core-minutes (experiments/results/coefficients_fashion), on two cores that others kept
    busy two hours.
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


def get_grid() -> dict:
    return {"step": 0.2, "tolerance": 0.05, "seeds": 3}
