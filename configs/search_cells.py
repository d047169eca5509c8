"""Search NAS-Bench-201 cells by training on Fashion-MNIST: an LSTM controller, or random search beside it.

Space: arXiv 2001.00326, cells of 5 operations on 6 edges. Controller: an LSTM (arXiv 1611.01578) improved by
PPO (arXiv 1707.06347). Dated 2026-11-26; a proxy sized for two CPU cores: a quarter of the benchmark's
pixels, half its filters, one cell a stage, 250 steps.
Command: python -m experiments.search --config=configs/search_cells.py:lstm_ppo --workdir=runs/cells_lstm \
    --config.run.data.dir=DIR
and the same with `:random` and a directory of its own; any strategy of search/strategies/catalogue.py goes.
DIR is a tensorflow_datasets directory that holds the prepared set (array_record).
Expected: about 77 % validation accuracy at the proxy. One search each tells no strategies apart: that does
    the table of configs/search_exhaustive.py. A search took 30 to 60 minutes on two CPU cores that did other
    work too, about half of it compiling.
"""

from ml_collections import ConfigDict


def get_config(strategy: str = "lstm_ppo") -> ConfigDict:
    config = ConfigDict()
    config.seed = 0
    config.evaluations = 60

    config.space = ConfigDict()
    config.space.name = "nasbench201"

    config.strategy = ConfigDict()
    config.strategy.name = strategy
    config.strategy.settings = {"batch": 5}

    config.objective = ConfigDict()
    config.objective.kind = "maximise"
    config.objective.metric = "val_top1"

    config.evaluator = ConfigDict()
    config.evaluator.name = "training"

    # How a candidate is trained, and, but for `final.changes`, the best.
    run = ConfigDict()
    run.model = ConfigDict()
    run.model.base_width = 0.5
    run.model.base_depth = 0.2
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
    run.train.duration = "250 steps"
    run.train.eval_every = "0 steps"
    run.train.checkpoint_every = "0 steps"
    config.run = run

    config.final = ConfigDict()
    config.final.best = 1
    config.final.seeds = [1, 2, 3]
    config.final.changes = {"train": {"duration": "2000 steps"}}
    return config
