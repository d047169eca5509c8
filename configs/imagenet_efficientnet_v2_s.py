"""EfficientNetV2-S on ImageNet by progressive learning: small images first.

Data: ImageNet-1k through TFDS, 1,281,167 training images. Paper: arXiv 2104.00298 sections 4.2 and 5.1, Table
    6; what it leaves open is from google/automl efficientnetv2 (hparams.py, effnetv2_configs.py). Dated
    2026-11-25; not run by us.
Command: python -m experiments.train --config=configs/imagenet_efficientnet_v2_s.py --workdir=runs/v2_s \
    --config.data.dir=DIR --config.data.workers=16
DIR is a tensorflow_datasets directory that holds the prepared set (array_record).
Expected: 83.9 % top-1 at 384 pixels (the paper's Table 7).
Cost: 107,100 steps of 4,096, a quarter each at 128, 185, 243 and 300 pixels; 7.8 x 10^18 training FLOPs.
Differs: RandAugment's magnitude rises from 5 to 10, as in that file; the paper's Table 6 says 15. Batch
    norm's decay is that file's 0.9 (the paper: 0.99).
    Photos are squeezed to a square when read and crops are cut from that; 2 % of the training split is the
    validation split, the official one is the test split. Batch norm is per device and micro-batch.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.seed = 0

    config.model = ConfigDict()
    config.model.name = "tf_efficientnetv2_s"
    config.model.norm_momentum = 0.9
    config.model.drop_path_rate = 0.2
    config.model.dtype = "bfloat16"

    config.data = ConfigDict()
    config.data.source = "tfds"
    config.data.name = "imagenet2012"
    config.data.test = "validation"
    config.data.validation_fraction = 0.02
    config.data.store = 512

    config.augment = ConfigDict()
    config.augment.crop = "resized"
    config.augment.area = [0.08, 1.0]
    config.augment.flip = True
    config.augment.randaugment_layers = 2
    config.augment.randaugment_magnitude = 10.0
    config.augment.eval_crop = 1.0

    config.optimizer = ConfigDict()
    config.optimizer.name = "rmsprop"
    config.optimizer.lr = 0.016
    config.optimizer.lr_batch = 256
    config.optimizer.momentum = 0.9
    config.optimizer.rms_decay = 0.9
    config.optimizer.eps = 1e-3
    config.optimizer.weight_decay = 1e-5
    config.optimizer.decay_mask = "kernels"

    config.schedule = ConfigDict()
    config.schedule.name = "exponential"
    config.schedule.warmup = "5 epochs"
    config.schedule.factor = 0.97
    config.schedule.every = "2.4 epochs"

    config.train = ConfigDict()
    config.train.batch = 4096
    config.train.duration = "350 epochs"
    config.train.progressive = [[0.0, 128 / 384], [0.25, 185 / 384], [0.5, 243 / 384], [0.75, 300 / 384]]
    config.train.progressive_drop_rate = [0.1, 0.5 / 3, 0.7 / 3, 0.3]
    config.train.progressive_magnitude = [5.0, 20 / 3, 25 / 3, 10.0]
    config.train.label_smoothing = 0.1
    config.train.ema = 0.9999
    config.train.eval_every = "5 epochs"
    return config
