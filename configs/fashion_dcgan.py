"""DCGAN on Fashion-MNIST: generator and judge of half the listed width, scaled in width and depth.

Data: Fashion-MNIST through TFDS (arXiv 1708.07747), 28 px grey, labels unread.
Paper: arXiv 1511.06434, sizes for 28 px ours, rules of 1905.11946. Dated 2026-11-29; sized for two CPU cores.
Command: python -m experiments.sweep --config=configs/fashion_dcgan.py --workdir=runs/fashion_dcgan \
    --config.data.dir=DIR
DIR is a tensorflow_datasets directory that holds the prepared set (array_record).
Cost: 0.19 to 0.34 CPU-seconds a step, 29 to 50 minutes of one core a run.
Expected: samples to be looked at (pictures.png of each run); coverage and diversity in pixels, 96.5 and
    96.5 % of one run (experiments/results/fashion_dcgan). A classifier's view of them: python -m
    experiments.samples --run=RUN --classifier=RUN.
Differs: both phases of a step begin at the same parameters, where the paper's judge learns first, which here
    is held back by smoothed labels of the data (arXiv 1606.03498).
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.seed = 0
    config.task = "generation"

    config.model = ConfigDict()
    config.model.name = "dcgan_28"
    config.model.base_width = 0.5
    config.model.alpha = 1.0
    config.model.beta = 1.4
    config.model.gamma = 1.0

    config.data = ConfigDict()
    config.data.source = "tfds"
    config.data.name = "fashion_mnist"

    config.optimizer = ConfigDict()
    config.optimizer.name = "adamw"
    config.optimizer.lr = 2e-4
    config.optimizer.lr_batch = 0
    config.optimizer.b1 = 0.5

    config.schedule = ConfigDict()
    config.schedule.name = "constant"

    config.train = ConfigDict()
    config.train.batch = 128
    config.train.duration = "20 epochs"
    config.train.ema = 0.999
    config.train.label_smoothing = 0.1
    config.train.eval_every = "2 epochs"
    config.train.checkpoint_every = "1 epochs"
    return config


def get_sweep() -> list[dict]:
    seeds = [{"seed": seed} for seed in range(3)]
    return seeds + [{"model.phi": phi} for phi in (-1.0, 1.0)]
