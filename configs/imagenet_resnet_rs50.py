"""ResNet-RS-50 at 160 pixels on ImageNet.

Data: ImageNet-1k through TFDS, 1,281,167 training images. Paper: arXiv 2103.07579 sections 4 and 7; values
    from tensorflow/tpu models/official/resnet/resnet_rs/configs/resnetrs50_i160.yaml. Dated 2026-11-25; not
    run by us.
Command: python -m experiments.train --config=configs/imagenet_resnet_rs50.py --workdir=runs/resnet_rs50 \
    --config.data.dir=DIR --config.data.workers=16
DIR is a tensorflow_datasets directory that holds the prepared set (array_record).
Expected: 78.8 % top-1 (that directory's README).
Cost: 108,150 steps of 4,096; 6.1 x 10^18 training FLOPs.
Differs: running statistics of batch norm decay by 0.9 (the file says 0, and averages them with the weights).
    Photos are squeezed to a square when read and crops are cut from that; 1 % of the training split is the
    validation split, the official one is the test split. Batch norm is per device and micro-batch.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.seed = 0

    config.model = ConfigDict()
    config.model.name = "resnetrs50"
    config.model.drop_rate = 0.25
    config.model.dtype = "bfloat16"

    config.data = ConfigDict()
    config.data.source = "tfds"
    config.data.name = "imagenet2012"
    config.data.test = "validation"
    config.data.validation_fraction = 0.01
    config.data.store = 400

    config.augment = ConfigDict()
    config.augment.crop = "resized"
    config.augment.area = [0.08, 1.0]
    config.augment.flip = True
    config.augment.randaugment_layers = 2
    config.augment.randaugment_magnitude = 10.0
    config.augment.eval_crop = 0.875

    config.optimizer = ConfigDict()
    config.optimizer.name = "sgd"
    config.optimizer.lr = 0.1
    config.optimizer.lr_batch = 256
    config.optimizer.momentum = 0.9
    config.optimizer.nesterov = True
    config.optimizer.weight_decay = 4e-5
    config.optimizer.decay_mask = "no_norm"

    config.schedule = ConfigDict()
    config.schedule.name = "cosine"
    config.schedule.warmup = "5 epochs"

    config.train = ConfigDict()
    config.train.batch = 4096
    config.train.duration = "350 epochs"
    config.train.label_smoothing = 0.1
    config.train.ema = 0.9999
    config.train.eval_every = "5 epochs"
    return config
