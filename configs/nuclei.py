"""Nuclei of the 2018 Data Science Bowl: a U-Net over a small ResNet at three compound-scaled sizes.

Data: 334 grey fluorescence micrographs (BBBC038, CC0), 234 / 34 / 66, foreground against background: DIR
holds train.zip, val.zip and test.zip, each with images/<id>.webp and masks/<id>.png, whose values above 0 are
nuclei (scaling/data/mask_folder.py).
Paper: arXiv 1505.04597 (U-Net), rules of 1905.11946. Dated 2026-11-28; sized for two CPU cores.
Command: python -m experiments.sweep --config=configs/nuclei.py --workdir=runs/nuclei --config.data.dir=DIR
Expected: mean IoU of the two classes on the test images at 256x256: 87.1, 88.2 and 88.2 % by size, one
    seed each (experiments/results/nuclei), in 12, 12 and 52 minutes of one busy core, a stop of some 20
    in the last; Otsu's threshold has 84.0.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.seed = 0
    config.task = "segmentation"

    config.model = ConfigDict()
    config.model.name = "resnet18"
    config.model.head = "unet"
    config.model.base_width = 0.25
    config.model.strides = [2, 1, 1, 2, 2, 2]  # maps of strides 2 to 16
    config.model.base_resolution = 224
    config.model.rounding = "narrow"

    config.data = ConfigDict()
    config.data.source = "folder"
    config.data.validation = "val"
    config.data.binary = True

    config.augment = ConfigDict()
    config.augment.crop = "resized"
    config.augment.area = [0.4, 1.0]
    config.augment.flip = True

    config.optimizer = ConfigDict()
    config.optimizer.name = "adamw"
    config.optimizer.lr = 2e-3
    config.optimizer.lr_batch = 0
    config.optimizer.weight_decay = 1e-2
    config.optimizer.decay = "decoupled"

    config.schedule = ConfigDict()
    config.schedule.name = "cosine"
    config.schedule.warmup = "2 epochs"

    config.train = ConfigDict()
    config.train.batch = 8
    config.train.duration = "40 epochs"
    config.train.eval_every = "10 epochs"
    config.train.eval_batch = 8
    config.train.checkpoint_every = "5 epochs"
    return config


def get_sweep() -> list[dict]:
    return [{"model.phi": phi, "seed": seed} for phi in (-1.0, 0.0, 1.0) for seed in range(2)]
