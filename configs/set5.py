"""Super-resolution by 3 of Set5's luminance: ESPCN of half the width, compound-scaled to three sizes.

Data: T91 trains, one picture in ten of it validates, Set5 tests: DIR holds t91.zip and set5.zip, or folders
    of these names (scaling/data/pictures.py).
Paper: arXiv 1609.05158 (ESPCN), rules of 1905.11946. Dated 2026-11-29; sized for two CPU cores.
Command: python -m experiments.sweep --config=configs/set5.py --workdir=runs/set5 --config.data.dir=DIR
Expected: mean PSNR of Set5 at three times the sides, 3 pixels at the edges left out: 32.11, 32.30 and
    32.47 dB by size, two, two and one seeds (experiments/results/set5); bicubic 30.39, ESPCN of T91 32.55.
    The side of training windows stays, so gamma is 1.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.seed = 0
    config.task = "super_resolution"

    config.model = ConfigDict()
    config.model.name = "espcn_x3"
    config.model.base_width = 0.5
    config.model.alpha = 1.5
    config.model.beta = 1.4
    config.model.gamma = 1.0

    config.data = ConfigDict()
    config.data.source = "folder"
    config.data.train = "t91"
    config.data.test = "set5"

    config.augment = ConfigDict()
    config.augment.flip = True

    config.optimizer = ConfigDict()
    config.optimizer.name = "lamb"  # by Adam 31.4 dB instead of 32.3 (docs/decisions.md)
    config.optimizer.lr = 2e-2
    config.optimizer.lr_batch = 0

    config.schedule = ConfigDict()
    config.schedule.name = "cosine"
    config.schedule.warmup = "100 steps"

    config.train = ConfigDict()
    config.train.batch = 32
    config.train.duration = "20000 steps"
    config.train.ema = 0.999
    config.train.eval_every = "4000 steps"
    config.train.eval_batch = 1
    config.train.checkpoint_every = "2000 steps"
    config.train.log_every = "200 steps"
    config.train.pictures = False  # those of this set may not be passed on
    return config


def get_sweep() -> list[dict]:
    smaller = [{"model.phi": phi, "seed": seed} for phi in (0.0, 1.0) for seed in range(2)]
    # At twice that rate the largest one diverges
    return smaller + [{"model.phi": 2.0, "optimizer.lr": 1e-2, "seed": seed} for seed in range(2)]
