"""ResNet-20 and the plain network of the same layers on CIFAR-10, of which layers are then left out.

Data: CIFAR-10 through TFDS, 45,000 training images. Papers: arXiv 1512.03385 section 4.2 (the networks),
    1605.06431 section 4.1 (leaving layers out). Dated 2026-11-28; a proxy sized for two CPU cores, no record.
Command: python -m experiments.sweep --config=configs/cifar10_plain.py --workdir=runs/cifar10_plain \
    --config.data.dir=DIR
then python -m experiments.layer_removal --run=runs/cifar10_plain/RUN for each.
DIR is a tensorflow_datasets directory that holds the prepared set (array_record).
Expected: without one block the residual network's error of 21.2 % grows to 28.6 to 44.5 % (70.4 without the
    first), the plain one's of 25.7 to 78.0 to 93.9, chance being 90 (experiments/results/cifar10_plain);
    ResNet-110's hardly grows (arXiv 1605.06431 Figure 3).
Cost: 1,755 steps of 128 each; 5.5 x 10^13 training FLOPs.
Differs: 5 epochs with a cosine instead of 64,000 steps.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.seed = 0

    config.model = ConfigDict()
    config.model.name = "cifar_resnet20"

    config.data = ConfigDict()
    config.data.source = "tfds"
    config.data.name = "cifar10"

    config.augment = ConfigDict()
    config.augment.crop = "pad"
    config.augment.flip = True

    config.optimizer = ConfigDict()
    config.optimizer.name = "sgd"
    config.optimizer.lr = 0.1
    config.optimizer.lr_batch = 128
    config.optimizer.weight_decay = 1e-4

    config.schedule = ConfigDict()
    config.schedule.name = "cosine"
    config.schedule.warmup = "200 steps"

    config.train = ConfigDict()
    config.train.batch = 128
    config.train.duration = "5 epochs"
    config.train.eval_every = "5 epochs"
    return config


def get_sweep() -> dict:
    return {"grid": {"model.name": ["cifar_resnet20", "cifar_plain20"]}}
