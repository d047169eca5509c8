"""GoogLeNet on ImageNet at 224 pixels, by the two solvers of its Caffe replication.

Data: ImageNet-1k through TFDS, 1,281,167 training images. Paper: arXiv 1409.4842; values from BVLC/caffe
    models/bvlc_googlenet (quick_solver.prototxt, solver.prototxt, train_val.prototxt, readme.md). Dated
    2026-11-28; not run by us.
Command: python -m experiments.sweep --config=configs/imagenet_googlenet.py --workdir=runs/googlenet \
    --config.data.dir=DIR --config.data.workers=16
DIR is a tensorflow_datasets directory that holds the prepared set (array_record).
Expected: 68.7 % top-1 and 88.9 % top-5 after the quick solver's 60 epochs (poly), on the centre crop
    (readme.md). The paper's own policy (step: our "exponential") takes 250 epochs; its single network has
    89.9 % top-5 on one crop (Table 3).
Cost: 2,400,000 steps of 32 (10,000,000 by the step policy); 7.3 x 10^17 training FLOPs.
Differs: Caffe learns biases at twice the rate. Photos are squeezed to a square when read and crops are cut
    from that; pixels are also divided by their deviation, so that the first layer's rate is another; 1 % of
    the training split is the validation split, the official one is the test split.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.seed = 0

    config.model = ConfigDict()
    config.model.name = "inception_v1"

    config.data = ConfigDict()
    config.data.source = "tfds"
    config.data.name = "imagenet2012"
    config.data.test = "validation"
    config.data.validation_fraction = 0.01
    config.data.store = 256

    config.augment = ConfigDict()
    config.augment.crop = "resized"
    config.augment.area = [0.765625, 0.765625]
    config.augment.aspect = [1.0, 1.0]
    config.augment.flip = True
    config.augment.eval_crop = 0.875

    config.optimizer = ConfigDict()
    config.optimizer.name = "sgd"
    config.optimizer.lr = 0.01
    config.optimizer.lr_batch = 32
    config.optimizer.momentum = 0.9
    config.optimizer.weight_decay = 2e-4
    config.optimizer.decay_mask = "kernels"

    config.schedule = ConfigDict()
    config.schedule.name = "poly"
    config.schedule.power = 0.5

    config.train = ConfigDict()
    config.train.batch = 32
    config.train.duration = "2400000 steps"
    config.train.eval_every = "1 epochs"
    return config


def get_sweep() -> list[dict]:
    step = {"schedule.name": "exponential", "schedule.factor": 0.96, "schedule.every": "320000 steps"}
    return [{}, {**step, "train.duration": "10000000 steps"}]
