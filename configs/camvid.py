"""CamVid: a U-Net over a small ResNet, compound-scaled to three sizes, from scratch.

Data: CamVid in the SegNet split, 367 / 101 / 233 frames, 11 classes: DIR holds train.zip, val.zip and
    test.zip, each with images/<id>.webp and masks/<id>.png, 11 for pixels that count for nothing
    (scaling/data/masks.py).
Paper: arXiv 1511.00561 (SegNet), 1505.04597 (U-Net), rules of 1905.11946. Dated 2026-11-28; sized for two
    CPU cores.
Command: python -m experiments.sweep --config=configs/camvid.py --workdir=runs/camvid --config.data.dir=DIR
Expected: mean IoU over classes on the test frames at 480x360: 44.4, 47.1 and 46.8 % by size, one seed each
    (experiments/results/camvid), in 44, 43 and 124 minutes of one busy core, a stop of
    some 20 in the last; SegNet with pretrained weights has 50.2, the most frequent class at each position
    17.0.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.seed = 0
    config.task = "segmentation"

    config.model = ConfigDict()
    config.model.name = "resnet18"
    config.model.head = "unet"
    config.model.base_width = 0.25
    config.model.strides = [2, 1, 1, 2, 2, 2]  # maps of strides 2 to 16
    config.model.base_resolution = 224
    config.model.rounding = "narrow"

    config.data = ConfigDict()
    config.data.source = "folder"
    config.data.validation = "val"
    config.data.void = 11

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

    config.schedule = ConfigDict()
    config.schedule.name = "cosine"
    config.schedule.warmup = "2 epochs"

    config.train = ConfigDict()
    config.train.batch = 8
    config.train.duration = "80 epochs"
    config.train.eval_every = "10 epochs"
    config.train.eval_batch = 8
    config.train.pictures = False  # those of this set may not be passed on
    config.train.checkpoint_every = "5 epochs"
    return config


def get_sweep() -> list[dict]:
    return [{"model.phi": phi, "seed": seed} for phi in (-1.0, 0.0, 1.0) for seed in range(2)]
