"""Denoising of the Berkeley images: DnCNN at half the resolution, compound-scaled to three sizes.

Data: 400 grey pictures of 180x180 train, Set12 (without Lena) validates, BSD68 tests: DIR holds train400.zip,
    set12.zip and bsd68.zip, or folders of these names (scaling/data/pictures.py).
Paper: arXiv 1608.03981 (DnCNN), 1710.04026 (FFDNet, whose layers see every second pixel of a row and column:
    a quarter of the work), rules of 1905.11946. Dated 2026-11-28; sized for two CPU cores.
Command: python -m experiments.sweep --config=configs/bsd_denoise.py --workdir=runs/bsd --config.data.dir=DIR
Expected: mean PSNR of BSD68 at sigma 25: 28.57, 28.73 and 28.79 dB by size; by layers alone 28.48 and 28.31,
    by filters alone 28.57 and 28.83 at the ends, one seed each (experiments/results/bsd_denoise); noisy
    20.17, BM3D 28.57, DnCNN of 17 layers of 64 filters 29.23. The side of training windows stays, as noise
    has none: gamma is 1.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.seed = 0
    config.task = "denoising"

    config.model = ConfigDict()
    config.model.name = "dncnn"
    config.model.base_depth = 0.4
    config.model.base_width = 0.5
    config.model.base_resolution = 48
    config.model.strides = [2, 1]
    config.model.alpha = 1.5
    config.model.beta = 1.25
    config.model.gamma = 1.0

    config.data = ConfigDict()
    config.data.source = "folder"
    config.data.train = "train400"
    config.data.validation = "set12"
    config.data.test = "bsd68"

    config.augment = ConfigDict()
    config.augment.noise = 25.0
    config.augment.flip = True

    config.optimizer = ConfigDict()
    config.optimizer.name = "adamw"
    config.optimizer.lr = 2e-3
    config.optimizer.lr_batch = 0

    config.schedule = ConfigDict()
    config.schedule.name = "cosine"
    config.schedule.warmup = "100 steps"

    config.train = ConfigDict()
    config.train.batch = 32
    config.train.duration = "8000 steps"
    config.train.ema = 0.999
    config.train.eval_every = "2000 steps"
    config.train.eval_batch = 2
    config.train.checkpoint_every = "1000 steps"
    config.train.log_every = "100 steps"
    config.train.pictures = False  # those of this set may not be passed on
    return config


def get_sweep() -> list[dict]:
    sizes = [{"model.phi": phi, "seed": seed} for phi in (-1.0, 0.0, 1.0) for seed in range(2)]
    # Layers alone and filters alone, each to about the multiply-adds of the ends
    ends = (("depth", -1.7), ("depth", 1.2), ("width", -1.5), ("width", 1.2))
    return sizes + [{"model.rule": rule, "model.phi": phi} for rule, phi in ends]
