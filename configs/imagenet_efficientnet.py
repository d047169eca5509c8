"""EfficientNet-B0 to B7 on ImageNet, the released networks with the paper's recipe.

Data: ImageNet-1k through TFDS, 1,281,167 training images. Paper: arXiv 1905.11946v5 section 5.2; what it
    leaves open is from tensorflow/tpu models/official/efficientnet (main.py, utils.py). Dated 2026-11-25; not
    run by us.
Command: python -m experiments.train --config=configs/imagenet_efficientnet.py:b3 --workdir=runs/b3 \
    --config.data.dir=DIR --config.data.workers=16
DIR is a tensorflow_datasets directory that holds the prepared set (array_record).
    A device that cannot hold its share of 4,096 images takes it in parts: --config.train.accumulate=N.
Expected: 77.1, 79.1, 80.1, 81.6, 82.9, 83.6, 84.0, 84.3 % top-1 for B0 to B7 (the paper's Table 2, with
    AutoAugment).
Cost: 107,100 steps of 4,096; 1.0, 1.8, 2.6, 4.8, 11.6, 27, 50 and 99 x 10^18 training FLOPs. The authors' B7
    took 139 hours on their TPUs (arXiv 2104.00298 Table 10).
Differs: AutoAugment translates by up to 0.45 of the side, as its paper does, where the code's 250 pixels
    would move small images out of their frame. The paper stops by the validation split; we train to the end.
    Photos are squeezed to a square when read and crops are cut from that; 2 % of the training split is the
    validation split, the official one is the test split. Batch norm is per device and micro-batch.
"""

from ml_collections import ConfigDict

ARGUMENTS = ("b0", "b1", "b2", "b3", "b4", "b5", "b6", "b7")


def get_config(size: str = "b0") -> ConfigDict:
    config = ConfigDict()
    config.seed = 0

    config.model = ConfigDict()
    config.model.name = f"tf_efficientnet_{size}"
    config.model.norm_momentum = 0.99
    config.model.dtype = "bfloat16"

    config.data = ConfigDict()
    config.data.source = "tfds"
    config.data.name = "imagenet2012"
    config.data.test = "validation"
    config.data.validation_fraction = 0.02
    config.data.store = 686 if size in ("b5", "b6", "b7") else 512

    config.augment = ConfigDict()
    config.augment.crop = "resized"
    config.augment.area = [0.08, 1.0]
    config.augment.flip = True
    config.augment.autoaugment = "v0"
    config.augment.eval_crop = 0.875

    config.optimizer = ConfigDict()
    config.optimizer.name = "rmsprop"
    config.optimizer.lr = 0.016
    config.optimizer.lr_batch = 256
    config.optimizer.momentum = 0.9
    config.optimizer.rms_decay = 0.9
    config.optimizer.eps = 1e-3
    config.optimizer.weight_decay = 1e-5
    config.optimizer.decay_mask = "no_norm"

    config.schedule = ConfigDict()
    config.schedule.name = "exponential"
    config.schedule.warmup = "5 epochs"
    config.schedule.factor = 0.97
    config.schedule.every = "2.4 epochs"

    config.train = ConfigDict()
    config.train.batch = 4096
    config.train.duration = "350 epochs"
    config.train.label_smoothing = 0.1
    config.train.ema = 0.9999
    config.train.eval_every = "5 epochs"
    return config
