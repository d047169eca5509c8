"""Membranes of the ISBI 2012 challenge: a U-Net over a small ResNet at three compound-scaled sizes.

Data: 30 slices of an electron micrograph stack, 512x512, for research: DIR holds train.zip with
images/<id>.webp and masks/<id>.png, 0 for membrane and 1 for cell (scaling/data/mask_folder.py). The first 21
slices train, the next 3 validate, the last 6 test: neighbouring slices are alike, so they are never mixed.
Paper: arXiv 1505.04597 (U-Net), rules of 1905.11946. Dated 2026-11-28; sized for two CPU cores.
Command: python -m experiments.sweep --config=configs/isbi.py --workdir=runs/isbi --config.data.dir=DIR
Expected: mean IoU of membrane and cell on the last six slices at 512x512: 69.7, 71.2 and 73.6 % by size, one
    seed each (experiments/results/isbi); blurring and a threshold have 61.7.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.seed = 0
    config.task = "segmentation"

    config.model = ConfigDict()
    config.model.name = "cifar_resnet20"
    config.model.head = "unet"
    config.model.base_width = 0.5
    config.model.strides = [2, 1, 2, 2]
    config.model.base_resolution = 256
    config.model.rounding = "narrow"

    config.data = ConfigDict()
    config.data.source = "folder"
    config.data.train = "train[:21]"
    config.data.validation = "train[21:24]"
    config.data.test = "train[24:]"
    config.data.store = 512

    config.augment = ConfigDict()
    config.augment.crop = "resized"
    config.augment.area = [0.3, 1.0]
    config.augment.flip = True

    config.optimizer = ConfigDict()
    config.optimizer.name = "adamw"
    config.optimizer.lr = 2e-3
    config.optimizer.lr_batch = 0
    config.optimizer.weight_decay = 1e-2
    config.optimizer.decay = "decoupled"

    config.schedule = ConfigDict()
    config.schedule.name = "cosine"
    config.schedule.warmup = "20 steps"

    config.train = ConfigDict()
    config.train.batch = 3
    config.train.duration = "500 steps"
    config.train.eval_every = "100 steps"
    config.train.eval_batch = 3
    config.train.pictures = False  # those of this set may not be passed on
    config.train.checkpoint_every = "100 steps"
    return config


def get_sweep() -> list[dict]:
    return [{"model.phi": phi, "seed": seed} for phi in (-1.0, 0.0, 1.0) for seed in range(2)]
