"""Does the best axis stay best? Compound scaling beside depth, width and resolution at three equal budgets.

Data: Fashion-MNIST through TFDS (arXiv 1708.07747), 28 px grey.
Rules: arXiv 1905.11946, on a CIFAR ResNet (arXiv 1512.03385) of 3.0 M multiply-adds at 20 px; budgets of 6.7,
    13.4 and 26.4 M, met within 1 % (tests/test_configs.py counts them). Dated 2026-11-28.
Command: python -m experiments.sweep --config=configs/best_axis.py --workdir=runs/best_axis \
    --config.data.dir=DIR
DIR is a tensorflow_datasets directory that holds the prepared set (array_record).
Stated before any run: (1) at every budget compound has the highest mean test accuracy of the four; (2) at
    the smallest and the largest budget the four stand in the same order; (3) compound's law in the
    multiply-adds has a larger exponent than depth's. Each budget is tested by Tukey's intervals over five
    seeds, expected to be some 0.5 points at a deviation of 0.3 between seeds; two are told apart where
    their interval does not hold 0, laws by their 95 % intervals (experiments.laws). What is not told
    apart is said to be so.
Cost: 65 runs of 1,500 steps of 128 images; 1.1 x 10^15 training FLOPs.
Expected: not run yet.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.seed = 0

    config.model = ConfigDict()
    config.model.name = "cifar_resnet20"
    # Five blocks a stage and widths to the channel, so that every axis comes near every budget
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
    config.schedule.warmup = "100 steps"

    config.train = ConfigDict()
    config.train.batch = 128
    config.train.duration = "1500 steps"
    config.train.label_smoothing = 0.1
    config.train.eval_every = "1500 steps"
    config.train.checkpoint_every = "500 steps"
    return config


# The phi of each budget by rule: the sizes nearest each other that all four rules reach
PHIS = {
    "compound": (1.24, 2.03, 3.44),
    "depth": (1.01, 2.08, 3.08),
    "width": (1.15, 2.18, 3.14),
    "resolution": (1.22, 2.18, 3.2),
}


def get_sweep() -> list[dict]:
    sizes = [{"model.rule": "compound", "model.phi": 0.0}]
    sizes += [{"model.rule": rule, "model.phi": phi} for rule, phis in PHIS.items() for phi in phis]
    return [{**size, "seed": seed} for seed in range(5) for size in sizes]
