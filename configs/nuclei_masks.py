"""Nuclei of the 2018 Data Science Bowl, each by itself: Mask R-CNN over a small ResNet at three sizes.

Data: 334 grey fluorescence micrographs (BBBC038, CC0), 234 / 34 / 66, with 9,543 nuclei: DIR holds train.zip,
    val.zip and test.zip, each with images/<id>.webp and masks/<id>.png, whose values number the nuclei
    (scaling/data/instances.py).
Paper: arXiv 1703.06870 (Mask R-CNN), rules of 1911.09070 and 1905.11946. Dated 2026-11-29; sized for two CPU
    cores.
Command: python -m experiments.sweep --config=configs/nuclei_masks.py --workdir=runs/nuclei_masks
    --config.data.dir=DIR
Expected: TP / (TP + FP + FN) of nuclei at a mask IoU of 0.5, the mean over test images; Otsu's threshold and
    connected components have 68.2, Mask R-CNN in the StarDist paper 83.2 (arXiv 1806.03535, their own split).
    79.6 for the middle size, one seed (experiments/results/nuclei_masks), the others are not trained yet.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.seed = 0
    config.task = "instance_segmentation"

    config.model = ConfigDict()
    config.model.name = "resnet18"
    config.model.stages = [0, 1, 2]  # maps of strides 4, 8 and 16: half of the nuclei are below 13 pixels
    config.model.head = "maskrcnn"
    config.model.base_width = 0.25
    config.model.base_resolution = 256
    config.model.rounding = "narrow"
    config.model.rule = "efficientdet"

    config.data = ConfigDict()
    config.data.source = "folder"
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
    config.train.duration = "30 epochs"
    config.train.regions = 128
    config.train.ema = 0.998
    config.train.eval_every = "10 epochs"
    config.train.eval_batch = 4
    config.train.checkpoint_every = "2 epochs"
    return config


def get_sweep() -> list[dict]:
    return [{"model.phi": phi, "seed": seed} for phi in (-1.0, 0.0, 1.0) for seed in range(2)]
