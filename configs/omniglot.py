"""Embeddings of Omniglot's characters: a small ResNet, a loss of triplets, of margins and of classes.

Data: handwritten characters, 800 of 30 alphabets train and 164 validate; the official 20-way one-shot runs
    of 20 other alphabets test: DIR holds background.zip, evaluation.zip and all_runs.zip
    (scaling/data/omniglot.py).
Paper: arXiv 1503.03832 (FaceNet), 1703.07737 (batch hard), 1801.07698 (ArcFace), rules of 1905.11946. Dated
    2026-11-28; sized for two CPU cores.
Command: python -m experiments.sweep --config=configs/omniglot.py --workdir=runs/omniglot \
    --config.data.dir=DIR
Expected: accuracy of the 400 official 20-way one-shot trials: triplets 94.0, ArcFace 92.4 and softmax
    93.3, three seeds each (experiments/results/omniglot); pixels 55.0, siamese networks (Koch et al. 2015)
    92.0, people 95.5 %.
"""

from ml_collections import ConfigDict

SEEDS = 3


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.seed = 0
    config.task = "embedding"

    config.model = ConfigDict()
    config.model.name = "cifar_resnet20"
    config.model.head = "embedding"
    config.model.base_resolution = 32
    config.model.strides = [1, 2, 2, 2]
    config.model.rounding = "narrow"

    config.data = ConfigDict()
    config.data.source = "omniglot"
    config.data.train = "background[:16000]"
    config.data.validation = "background[16000:]"
    config.data.test = "runs"

    config.augment = ConfigDict()
    config.augment.crop = "resized"
    config.augment.area = [0.7, 1.0]

    config.optimizer = ConfigDict()
    config.optimizer.name = "adamw"
    config.optimizer.lr = 2e-3
    config.optimizer.lr_batch = 0
    config.optimizer.weight_decay = 1e-2
    config.optimizer.decay = "decoupled"

    config.schedule = ConfigDict()
    config.schedule.name = "cosine"
    config.schedule.warmup = "100 steps"

    config.train = ConfigDict()
    config.train.batch = 128
    config.train.per_class = 4
    config.train.embedding_loss = "triplet"
    config.train.scale = 16.0
    config.train.duration = "24 epochs"
    config.train.ema = 0.998
    config.train.eval_every = "8 epochs"
    config.train.eval_batch = 250
    config.train.checkpoint_every = "4 epochs"
    config.train.log_every = "50 steps"
    return config


def get_sweep() -> list[dict]:
    pairs = [{"train.embedding_loss": loss} for loss in ("triplet", "contrastive")]
    classes = [
        {"train.embedding_loss": loss, "train.per_class": 0, "model.head": "embedding_classes"}
        for loss in ("softmax", "arcface", "cosface", "sphereface")
    ]
    seeds = lambda trial: range(
        SEEDS if trial["train.embedding_loss"] in ("triplet", "softmax", "arcface") else 1
    )
    losses = [{**trial, "seed": seed} for trial in (*pairs, *classes) for seed in seeds(trial)]
    return losses + [{"model.phi": phi} for phi in (-1.0, 1.0)]
