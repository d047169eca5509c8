"""Train every NAS-Bench-201 cell of {skip, 1x1, 3x3} for a few steps on Fashion-MNIST: a table of our own.

Space: arXiv 2001.00326 with three of its five operations: 729 cells, 496 of them different. Dated
2026-11-29; a proxy sized for two CPU cores: a quarter of the benchmark's pixels, half its filters, one cell
a stage, 200 steps of 64. A second seed trains each again, from other weights and in another order: what a
search sees is one seed's validation accuracy, what is reported of its choice the other's.
Command: for SEED in 0 1; python -m experiments.search --config=configs/search_exhaustive.py:SEED \\
    --workdir=runs/cells729_SEED --config.run.data.dir=DIR
then: python -m experiments.tabulate runs/cells729_0 runs/cells729_1 --out=cells729.csv
and: python -m experiments.search_table cells729.csv --signal=val_top1_0 --score=val_top1_1 \\
    --decisions=decision_0,decision_1,decision_2,decision_3,decision_4,decision_5 --strategies=all
Expected: experiments/results/search/cells729.md; some 80 minutes a seed on two CPU cores that did other work.
DIR is a tensorflow_datasets directory that holds the prepared set (array_record).
"""

from ml_collections import ConfigDict

OPERATIONS = ("skip_connect", "nor_conv_1x1", "nor_conv_3x3")


def get_config(seed: str = "0") -> ConfigDict:
    config = ConfigDict()
    config.evaluations = len(OPERATIONS) ** 6

    config.space = ConfigDict()
    config.space.name = "nasbench201"
    config.space.settings = {"operations": list(OPERATIONS), "filters": 8, "repeats": 1}

    config.strategy = ConfigDict()
    config.strategy.name = "grid"

    config.objective = ConfigDict()
    config.objective.kind = "maximise"
    config.objective.metric = "val_top1"

    config.evaluator = ConfigDict()
    config.evaluator.name = "short"
    config.evaluator.settings = {"universal": True}

    run = ConfigDict()
    run.seed = int(seed)

    run.model = ConfigDict()
    run.model.base_resolution = 16

    run.data = ConfigDict()
    run.data.source = "tfds"
    run.data.name = "fashion_mnist"

    run.augment = ConfigDict()
    run.augment.crop = "pad"
    run.augment.pad = 2
    run.augment.flip = True

    run.optimizer = ConfigDict()
    run.optimizer.name = "sgd"
    run.optimizer.lr = 0.1
    run.optimizer.lr_batch = 128
    run.optimizer.nesterov = True
    run.optimizer.weight_decay = 5e-4

    run.schedule = ConfigDict()
    run.schedule.name = "cosine"
    run.schedule.warmup = "40 steps"

    run.train = ConfigDict()
    run.train.batch = 64
    run.train.duration = "200 steps"
    run.train.eval_every = "0 steps"
    run.train.checkpoint_every = "0 steps"
    config.run = run
    return config
