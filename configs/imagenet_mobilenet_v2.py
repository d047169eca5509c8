"""MobileNetV2 1.0 on ImageNet at 224 pixels.

Data: ImageNet-1k through TFDS, 1,281,167 training images. Paper: arXiv 1801.04381 section 6.1; batch,
    smoothing and length are those of tensorflow/models research/slim/nets/mobilenet/README.md. Dated
    2026-11-25; not run by us.
Command: python -m experiments.train --config=configs/imagenet_mobilenet_v2.py --workdir=runs/mobilenet_v2 \
    --config.data.dir=DIR --config.data.workers=16
DIR is a tensorflow_datasets directory that holds the prepared set (array_record).
Expected: 72.0 % top-1 (the paper's Table 4; the released checkpoint has 71.8).
Cost: 693,420 steps of 768 (8 times 96); 9.6 x 10^17 training FLOPs.
Differs: synchronous, as that README; the paper has 16 asynchronous workers, each with its own rate. No colour
    jitter. Batch norm's epsilon is 1e-5 and padding symmetric, as in timm's network, where slim has 1e-3 and
    SAME. Photos are squeezed to a square when read and crops are cut from that; 1 % of the training split is
    the validation split, the official one is the test split. Batch norm is per device and micro-batch.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.seed = 0

    config.model = ConfigDict()
    config.model.name = "mobilenetv2_100"
    config.model.drop_rate = 0.2
    config.model.norm_momentum = 0.997

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
    config.optimizer.lr = 0.045
    config.optimizer.lr_batch = 96
    config.optimizer.momentum = 0.9
    config.optimizer.rms_decay = 0.9
    config.optimizer.eps = 1.0
    config.optimizer.weight_decay = 4e-5
    config.optimizer.decay_mask = "kernels"

    config.schedule = ConfigDict()
    config.schedule.name = "exponential"
    config.schedule.factor = 0.98
    config.schedule.every = "2.5 epochs"

    config.train = ConfigDict()
    config.train.batch = 768
    config.train.duration = "420 epochs"
    config.train.label_smoothing = 0.1
    config.train.ema = 0.9999
    config.train.eval_every = "5 epochs"
    return config
