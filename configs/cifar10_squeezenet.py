"""SqueezeNet 1.1 on CIFAR-10, to be compressed.

Data: CIFAR-10 through TFDS, 45,000 training images. Papers: arXiv 1602.07360 (the network), 1510.00149 (deep
    compression). Dated 2026-11-28; a proxy sized for two CPU cores, not a record.
Command: python -m experiments.train --config=configs/cifar10_squeezenet.py --workdir=runs/squeezenet \
    --config.data.dir=DIR
then python -m experiments.compress --run=runs/squeezenet --out=runs/squeezenet_compressed
DIR is a tensorflow_datasets directory that holds the prepared set (array_record).
Expected: 76.28 %, the compressed file 9.0 times smaller at 75.92 %, one seed
    (experiments/results/cifar10_squeezenet); arXiv 1602.07360 Table 2 has 10 times without loss on ImageNet.
Cost: 20 epochs, 1.2 x 10^14 training FLOPs, 53 minutes of one core; compressing it 11 more.
Differs: 32-pixel images, so that the first convolution is 3x3 of stride 2 and no pooling follows it.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.seed = 0

    config.model = ConfigDict()
    config.model.name = "squeezenet1_1"
    config.model.stem = "small"
    config.model.base_resolution = 32
    config.model.strides = [2, 1, 2, 1, 2, 1, 1]
    config.model.drop_rate = 0.2

    config.data = ConfigDict()
    config.data.source = "tfds"
    config.data.name = "cifar10"

    config.augment = ConfigDict()
    config.augment.crop = "pad"
    config.augment.flip = True

    config.optimizer = ConfigDict()
    config.optimizer.name = "adamw"
    config.optimizer.lr = 1e-3
    config.optimizer.lr_batch = 0
    config.optimizer.weight_decay = 0.01
    config.optimizer.decay = "decoupled"

    config.schedule = ConfigDict()
    config.schedule.name = "cosine"
    config.schedule.warmup = "1 epochs"

    config.train = ConfigDict()
    config.train.batch = 128
    config.train.duration = "20 epochs"
    config.train.eval_every = "5 epochs"
    return config
