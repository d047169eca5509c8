"""NASNet-A mobile (4 @ 1056) on ImageNet at 224 pixels.

Data: ImageNet-1k through TFDS, 1,281,167 training images. Paper: arXiv 1707.07012 section 4.2 and appendix A;
    values from tensorflow/models research/slim/nets/nasnet/nasnet.py (its notes). Dated 2026-11-25; not run
    by us.
Command: python -m experiments.train --config=configs/imagenet_nasnet_a_mobile.py \
    --workdir=runs/nasnet_a_mobile --config.data.dir=DIR --config.data.workers=16
DIR is a tensorflow_datasets directory that holds the prepared set (array_record).
Expected: 74.0 % top-1 (the paper's Table 3).
Cost: 250,000 steps of 1,600 (50 replicas of 32); 1.35 x 10^18 training FLOPs.
Differs: no colour jitter. Photos are squeezed to a square when read and crops are cut from that; 1 % of the
    training split is the validation split, the official one is the test split. Batch norm is per device and
    micro-batch.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.seed = 0

    config.model = ConfigDict()
    config.model.name = "nasnetamobile"
    config.model.auxiliary = True
    config.model.drop_rate = 0.5

    config.data = ConfigDict()
    config.data.source = "tfds"
    config.data.name = "imagenet2012"
    config.data.test = "validation"
    config.data.validation_fraction = 0.01
    config.data.store = 512

    config.augment = ConfigDict()
    config.augment.crop = "resized"
    config.augment.area = [0.05, 1.0]
    config.augment.flip = True
    config.augment.eval_crop = 0.875

    config.optimizer = ConfigDict()
    config.optimizer.name = "rmsprop"
    config.optimizer.lr = 0.04
    config.optimizer.lr_batch = 32
    config.optimizer.momentum = 0.9
    config.optimizer.rms_decay = 0.9
    config.optimizer.eps = 1.0
    config.optimizer.weight_decay = 4e-5
    config.optimizer.decay_mask = "kernels"
    config.optimizer.clip_norm = 10.0

    config.schedule = ConfigDict()
    config.schedule.name = "exponential"
    config.schedule.factor = 0.97
    config.schedule.every = "2.4 epochs"

    config.train = ConfigDict()
    config.train.batch = 1600
    config.train.duration = "250000 steps"
    config.train.label_smoothing = 0.1
    config.train.ema = 0.9999
    config.train.eval_every = "5 epochs"
    return config
