"""LeNet-5 on MNIST, as it was in 1998 and as it is built today, without and with distorted training images.

Data: MNIST through TFDS, 28 px grey, 59,400 images trained on and 600 kept for validation. Paper: LeCun et
    al., Proceedings of the IEEE 86, 1998, section III. Dated 2026-11-28.
Command: python -m experiments.sweep --config=configs/mnist_lenet5.py --workdir=runs/mnist_lenet5 \
    --config.data.dir=DIR
DIR is a tensorflow_datasets directory that holds the prepared set (array_record).
Expected: 0.95 % test error without distortions, 0.8 % with (section III.B and Figure 9).
Cost: 20 epochs a seed, 3.0 x 10^12 (2.4 x 10^12 as of 1998) training FLOPs, some minutes on two CPU cores;
    of that of 1998 about 15 CPU-minutes a seed, 98 % after one epoch.
Differs: in today's form the network (scaling/zoo/lenet.py says how). In both, SGD with momentum for the
    paper's diagonal second-order step, images resized to 32 px where the paper sets them in a border of 2
    pixels, and distorted ones are moved by up to 2 pixels, where the paper also scales, squeezes and shears.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.seed = 0

    config.model = ConfigDict()
    config.model.name = "lenet5"

    config.data = ConfigDict()
    config.data.source = "tfds"
    config.data.name = "mnist"
    config.data.validation_fraction = 0.01

    config.augment = ConfigDict()
    config.augment.pad = 2

    config.optimizer = ConfigDict()
    config.optimizer.name = "sgd"
    config.optimizer.lr = 0.02
    config.optimizer.lr_batch = 64
    config.optimizer.momentum = 0.9
    config.optimizer.weight_decay = 1e-4

    config.schedule = ConfigDict()
    config.schedule.name = "cosine"

    config.train = ConfigDict()
    config.train.batch = 64
    config.train.duration = "20 epochs"
    return config


# The network of 1998: its losses are squared distances over 84 numbers, larger than an entropy
ORIGINAL = {"model.name": "lenet5_1998", "train.class_loss": "map", "optimizer.lr": 4e-3}


def get_sweep() -> list[dict]:
    crops = [{"augment.crop": crop, "seed": seed} for crop in ("none", "pad") for seed in range(5)]
    return crops + [{**ORIGINAL, **crop} for crop in crops]
