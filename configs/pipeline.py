"""The whole method on Fashion-MNIST: search a base, grid its coefficients, scale it, beside EfficientNet-B0.

Methods: macro space and product reward of arXiv 1807.11626, coefficients of arXiv 1905.11946. Dated
2026-11-26; a proxy sized for two CPU cores: three stages of EfficientNet-B0 at half their width, 16 px, a few
hundred steps.
Command: python -m experiments.pipeline --config=configs/pipeline.py --workdir=runs/pipeline \
    --config.search.run.data.dir=DIR
DIR is a tensorflow_datasets directory that holds the prepared set (array_record).
Expected: a base of plain convolutions, 78.7 % test accuracy at 2.2 M multiply-adds against 75.4 for B0's
    stages, 82.3 against 80.5 at 10 M (experiments/results/pipeline); 80 minutes on two busy CPU cores.
"""

from ml_collections import ConfigDict

# What is searched around, and compared with: three stages of EfficientNet-B0, small.
BASE = {
    "name": "efficientnet_b0",
    "stages": [1, 2, 4],
    "base_width": 0.5,
    "base_depth": 0.5,
    "base_resolution": 16,
    "stem": "small",
    "rounding": "whole",
    "drop_rate": 0.0,
    "drop_path_rate": 0.0,
}


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.phis = [-1.0, 0.0, 1.0, 2.0]
    config.seeds = 2
    config.rival = ConfigDict(BASE)

    config.grid = ConfigDict()
    config.grid.step = 0.2
    config.grid.tolerance = 0.1
    config.grid.seeds = 1

    search = ConfigDict()
    search.seed = 0
    search.evaluations = 24

    search.space = ConfigDict()
    search.space.name = "mnasnet"
    search.space.settings = {"base": BASE, "repeats": [0, 1]}

    search.strategy = ConfigDict()
    search.strategy.name = "lstm_ppo"
    search.strategy.settings = {"batch": 4}

    # MnasNet's product reward; the target is what the base costs
    search.objective = ConfigDict()
    search.objective.kind = "product"
    search.objective.metric = "val_top1"
    search.objective.cost = "macs"
    search.objective.target = 2.2e6

    search.evaluator = ConfigDict()
    search.evaluator.name = "training"

    run = ConfigDict()
    run.data = ConfigDict()
    run.data.source = "tfds"
    run.data.name = "fashion_mnist"

    run.augment = ConfigDict()
    run.augment.crop = "pad"
    run.augment.pad = 2
    run.augment.flip = True

    run.optimizer = ConfigDict()
    run.optimizer.name = "adamw"
    run.optimizer.lr = 0.003
    run.optimizer.weight_decay = 0.02

    run.schedule = ConfigDict()
    run.schedule.name = "cosine"
    run.schedule.warmup = "40 steps"

    run.train = ConfigDict()
    run.train.batch = 64
    run.train.duration = "200 steps"
    run.train.eval_every = "0 steps"
    run.train.checkpoint_every = "0 steps"
    search.run = run

    search.final = ConfigDict()
    search.final.changes = {"train": {"duration": "600 steps"}}
    config.search = search
    return config
