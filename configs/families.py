"""Tiny members of 37 families of classifiers, trained alike on Fashion-MNIST: accuracy against multiply-adds.

Data: Fashion-MNIST through TFDS (arXiv 1708.07747), 28 px grey. Dated 2026-11-25; a proxy sized for two CPU
cores: it says how these families learn from few examples when they are small, and no more.
Each member is the family's network with `small` stem, narrowed and shortened to about 2 M multiply-adds
at 16 px (LeNet-5 as it is). CIFAR forms of NASNet, AmoebaNet and DARTS are left out,
their cells being there, and GhostNet and plain networks.
The recipe is one for all but three batch-norm averages (below), and was not tuned for any.
Command: python -m experiments.sweep --config=configs/families.py \
    --workdir=runs/families --config.data.dir=DIR
DIR is a tensorflow_datasets directory that holds the prepared set (array_record).
Expected: 38 to 80 % test accuracy after 400 steps (experiments/results/families); half an hour to an hour on
    two CPU cores. Mobile networks end in maps of one pixel here, and lose by it.
"""

from ml_collections import ConfigDict

# name: (width, depth), over the published network
MEMBERS = {
    "lenet5": (1.0, 1.0),
    "alexnet": (0.06, 1.0),
    "zfnet": (0.06, 1.0),
    "nin_cifar10": (0.18, 1.0),
    "vgg11_bn": (0.09, 0.7),
    "googlenet": (0.06, 0.7),
    "resnet18": (0.125, 1.0),
    "seresnet18": (0.125, 1.0),
    "wide_resnet50_2": (0.06, 0.5),
    "resnext50_32x4d": (0.06, 0.5),
    "resnetrs50": (0.09, 0.5),
    "cifar_resnet20": (0.5, 1.0),
    "preact_resnet164": (0.35, 0.15),
    "resnext29_8x64d": (0.06, 0.3),
    "wrn_16_4": (0.125, 1.0),
    "densenet121": (0.09, 1.0),
    "densenet_bc_100_12": (0.18, 1.0),
    "squeezenet1_1": (0.25, 0.8),
    "legacy_xception": (0.125, 0.6),
    "mobilenetv1_100": (0.35, 0.6),
    "mobilenetv2_100": (0.5, 0.5),
    "mobilenetv3_small_100": (1.0, 0.7),
    "shufflenet_v1_g3_x1_0": (0.5, 0.5),
    "shufflenet_v2_x1_0": (0.35, 0.5),
    "snet49": (0.7, 0.5),
    "mnasnet_100": (0.5, 0.5),
    "nasnetamobile": (0.09, 0.5),
    "pnasnet5mobile": (0.06, 0.5),
    "amoebanet_a_4_50": (0.09, 0.5),
    "darts_v1": (0.125, 0.5),
    "enas_micro": (0.09, 0.4),
    "regnetx_002": (0.7, 0.6),
    "regnety_002": (0.7, 0.6),
    "efficientnet_b0": (0.5, 0.5),
    "efficientnet_lite0": (0.5, 0.5),
    "tf_efficientnetv2_b0": (0.5, 0.4),
    "convnext_tiny": (0.09, 0.4),
}


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.seed = 0

    config.model = ConfigDict()
    config.model.stem = "small"
    config.model.base_resolution = 16
    config.model.drop_rate = 0.0
    config.model.drop_path_rate = 0.0

    config.data = ConfigDict()
    config.data.source = "tfds"
    config.data.name = "fashion_mnist"

    config.augment = ConfigDict()
    config.augment.crop = "pad"
    config.augment.pad = 2
    config.augment.flip = True

    config.optimizer = ConfigDict()
    config.optimizer.name = "adamw"
    config.optimizer.lr = 0.003
    config.optimizer.weight_decay = 0.02

    config.schedule = ConfigDict()
    config.schedule.name = "cosine"
    config.schedule.warmup = "100 steps"

    config.train = ConfigDict()
    config.train.batch = 128
    config.train.duration = "400 steps"
    config.train.label_smoothing = 0.1
    config.train.eval_every = "400 steps"
    config.train.checkpoint_every = "400 steps"
    return config


# These authors average batch norm's statistics over thousands of steps, of which there are 400 here
LONG_AVERAGES = ("nasnetamobile", "pnasnet5mobile", "amoebanet_a_4_50")


def get_sweep() -> list[dict]:
    sweep = []
    for name, (width, depth) in MEMBERS.items():
        trial = {"model.name": name, "model.base_width": width, "model.base_depth": depth}
        if name in LONG_AVERAGES:
            trial["model.norm_momentum"] = 0.9
        sweep.append(trial)
    return sweep
