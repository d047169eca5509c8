"""ResNet-50 on ImageNet in 90 epochs: the baseline that most later papers compare with.

Data: ImageNet-1k through TFDS, 1,281,167 training images. Network: arXiv 1512.03385 Table 1, with the stride
    in the 3x3. Recipe: arXiv 1706.02677 section 5.1, its baseline of 256 images. Dated 2026-11-25; not run by
    us.
Command: python -m experiments.train --config=configs/imagenet_resnet50.py --workdir=runs/resnet50 \
    --config.data.dir=DIR --config.data.workers=16
DIR is a tensorflow_datasets directory that holds the prepared set (array_record).
    With larger batches, as in that paper: --config.train.batch=8192 --config.schedule.warmup="5 epochs".
Expected: 76.4 % top-1 (that paper's Table 1; 1512.03385 has 75.3 for its own recipe, without a fixed
    schedule).
Cost: 445,860 steps of 256; 2.8 x 10^18 training FLOPs. The authors took one hour on 256 P100 at a batch of
    8,192.
Differs: the scale of the last batch norm of each block starts at 1, not 0.
    Photos are squeezed to a square when read and crops are cut from that; 1 % of the training split is the
    validation split, the official one is the test split. Batch norm is per device and micro-batch.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.seed = 0

    config.model = ConfigDict()
    config.model.name = "resnet50"

    config.data = ConfigDict()
    config.data.source = "tfds"
    config.data.name = "imagenet2012"
    config.data.test = "validation"
    config.data.validation_fraction = 0.01
    config.data.store = 512

    config.augment = ConfigDict()
    config.augment.crop = "resized"
    config.augment.area = [0.08, 1.0]
    config.augment.flip = True
    config.augment.eval_crop = 0.875

    config.optimizer = ConfigDict()
    config.optimizer.name = "sgd"
    config.optimizer.lr = 0.1
    config.optimizer.lr_batch = 256
    config.optimizer.momentum = 0.9
    config.optimizer.nesterov = True
    config.optimizer.weight_decay = 1e-4
    config.optimizer.decay_mask = "no_norm"

    config.schedule = ConfigDict()
    config.schedule.name = "step"
    config.schedule.factor = 0.1
    config.schedule.boundaries = ["30 epochs", "60 epochs", "80 epochs"]

    config.train = ConfigDict()
    config.train.batch = 256
    config.train.duration = "90 epochs"
    config.train.eval_every = "5 epochs"
    return config
