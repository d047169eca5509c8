"""BCCD: EfficientDet's neck and head over a small ResNet, compound-scaled to three sizes, from scratch.

Data: blood cells of three classes, 205 / 87 / 72 photos of 640x480 in the official split: DIR holds
    images.zip and boxes.json (scaling/data/annotations.py); for the original folder set data.source=voc.
Paper: arXiv 1911.09070 (EfficientDet), 1708.02002 (RetinaNet), 1512.02325 (SSD), 1506.01497 (Faster R-CNN),
    rules of 1905.11946. Dated 2026-11-28; sized for two CPU cores.
Command: python -m experiments.sweep --config=configs/bccd.py --workdir=runs/bccd --config.data.dir=DIR
Expected: AP at IoU 0.5 on the test photos: EfficientDet 75.4, 83.6 and 86.3 by size, SSD 73.8, Faster R-CNN
    87.7 and 86.4 in turns, one seed each (experiments/results/bccd), RetinaNet is not trained yet; networks
    that were trained on COCO before reach 85 to 95. They took 36, 54, 11, 31 and 11 minutes of one busy core
    (the smallest an hour beside tests); estimated for a quiet one are 11, 21, 41, 11, 16, 11, RetinaNet 28.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.seed = 0
    config.task = "detection"

    config.model = ConfigDict()
    config.model.name = "resnet18"
    config.model.stages = [0, 1, 2]  # maps of strides 4, 8 and 16: the smallest cells have 15 pixels
    config.model.head = "efficientdet"
    config.model.base_width = 0.5
    config.model.base_resolution = 256
    config.model.rounding = "narrow"
    config.model.rule = "efficientdet"

    config.data = ConfigDict()
    config.data.source = "boxes"
    config.data.validation = "val"

    config.augment = ConfigDict()
    config.augment.crop = "resized"
    config.augment.area = [0.4, 1.0]
    config.augment.flip = True

    config.optimizer = ConfigDict()
    config.optimizer.name = "adamw"
    config.optimizer.lr = 2e-3
    config.optimizer.lr_batch = 0
    config.optimizer.weight_decay = 1e-2
    config.optimizer.decay = "decoupled"
    config.optimizer.clip_norm = 10.0

    config.schedule = ConfigDict()
    config.schedule.name = "cosine"
    config.schedule.warmup = "2 epochs"

    config.train = ConfigDict()
    config.train.batch = 4
    config.train.duration = "60 epochs"
    config.train.ema = 0.998
    config.train.eval_every = "10 epochs"
    config.train.eval_batch = 8
    config.train.checkpoint_every = "5 epochs"
    return config


def get_sweep() -> list[dict]:
    sizes = [{"model.phi": phi, "seed": seed} for phi in (-1.0, 0.0, 1.0) for seed in range(2)]
    retinanet = {"model.head": "retinanet", "model.base_width": 0.25, "model.base_depth": 0.5}
    fasterrcnn = {"model.head": "fasterrcnn", "model.base_width": 0.25, "train.regions": 128}
    return sizes + [retinanet, {"model.head": "ssd"}, fasterrcnn, {**fasterrcnn, "train.alternate": True}]
