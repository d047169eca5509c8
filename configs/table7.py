"""Table 7 of arXiv 1905.11946 at equal multiply-adds: one axis against all three, at proxy scale on photos.

Data: one sub-folder a class in train and val (folders, .tar or .zip), here Imagenette at 224 px.
The paper scales EfficientNet-B0 by d = 4, w = 2, r = 2, which count 1.58, 1.45 and 1.54 G multiply-adds, and
by d = 1.4, w = 1.2, r = 1.3, which counts 1.83 G. Here the base is a small CIFAR ResNet, compound takes the
paper's factors, and each axis alone the phi at which `scaling.solve` finds compound's multiply-adds:
d = 3.25, w = 1.85, r = 1.93.
Rules: arXiv 1905.11946. Dated 2026-11-26; a proxy sized for two CPU cores, not a record.
Command: python -m experiments.sweep --config=configs/table7.py --workdir=runs/table7 --config.data.dir=DIR
DIR holds train/ and val/, or train.tar and val.tar.
Expected: compound 31.2, width 33.0, resolution 31.0, depth 16.9, the base 26.7 % test accuracy; only depth is
    told apart (experiments/results/table7). 30 minutes on two busy CPU cores.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.seed = 0

    config.model = ConfigDict()
    config.model.name = "cifar_resnet20"
    # Five blocks a stage, so that depth can grow by fifths, and widths to the channel: coarser rounding would
    # give other multiply-adds than compound's
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


# Within 1 % of the same multiply-adds (tests/test_configs.py counts them)
SIZES = (
    {"model.phi": 0.0},
    {"model.rule": "depth", "model.phi": 1.7},
    {"model.rule": "width", "model.phi": 1.78},
    {"model.rule": "resolution", "model.phi": 1.9},
    {"model.rule": "axes", "model.depth": 1.4, "model.width": 1.2, "model.resolution": 300 / 224},
)


def get_sweep() -> list[dict]:
    return [{**size, "seed": seed} for seed in range(3) for size in SIZES]
