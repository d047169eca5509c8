"""Published weights by name: timm's `config.json` says the network and how pictures become its input."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scaling import zoo
from scaling.arch.arch import Arch
from scaling.data.photos import MODES
from scaling.weights import hub
from scaling.weights.files import Weights, read_safetensors
from scaling.weights.preprocessing import Preprocessing
from scaling.weights.torch import load_torch

# What timm assumes where a config says nothing (timm's models/_pretrained.py, PretrainedCfg).
UNSAID = {"input_size": [3, 224, 224], "num_classes": 1000}
# What a config may say of how the network was built; anything else would be another network than the zoo's.
BUILT = ("num_classes", "in_chans", "drop_rate", "drop_path_rate", "global_pool")


def from_pretrained(
    name: str | os.PathLike[str],
    num_classes: int | None = None,
    *,
    cache_dir: str | os.PathLike[str] | None = None,
    revision: str | None = None,
    test_size: bool = False,
) -> Weights:
    """Return (arch, variables, preprocessing, classes) of published weights, downloaded once.

    `name` is timm's with its tag ("efficientnet_b0.ra_in1k"), a hub repository ("timm/resnet18.a1_in1k"),
    or a directory with `config.json` and `model.safetensors`. Classes, channels and resolution are those
    of the weights; a `num_classes` given must equal theirs. `test_size` takes the input side and crop
    that the config recommends for evaluation, where it does. `cache_dir` and `revision` are
    huggingface_hub's (as are HF_HOME and HF_HUB_OFFLINE). Raises what `hub.find` raises, ValueError where the
    config describes another network than the zoo's or tensors do not fit (all are listed).
    """
    config_path, weights_path = hub.find(name, cache_dir, revision)
    config = read_config(config_path)
    try:
        arch, preprocessing = described(config, test_size)
        if num_classes not in (None, arch.num_classes):
            raise ValueError(
                f"its classifier is for {arch.num_classes} classes, not num_classes={num_classes}: leave num_classes "
                "out, and give the network a new classifier by scaling.replace_head."
            )
        return Weights(arch, load_torch(arch, read_safetensors(weights_path)), preprocessing)
    except ValueError as error:
        raise ValueError(f"{os.fspath(name)} cannot be loaded: {error}") from error


def read_config(path: Path) -> dict[str, Any]:
    """Read timm's `config.json` as one flat dict, of its old form (one level) or new (`pretrained_cfg`)."""
    try:
        top = json.loads(path.read_text())
        levels = (UNSAID, top.pop("pretrained_cfg", {}), top)
        config = {key: value for level in levels for key, value in level.items() if value is not None}
        if not isinstance(config["architecture"], str):
            raise TypeError(f"architecture={config['architecture']!r} must be text")
        return config
    except (OSError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise ValueError(
            f"{path} does not describe a network as timm does ({type(error).__name__}: {error}): it needs at least "
            '{"architecture": "resnet18", "num_classes": 1000}.'
        ) from error


def described(config: Mapping[str, Any], test_size: bool = False) -> tuple[Arch, Preprocessing | None]:
    """Return the zoo's network, with the weights' classes, channels and side, and the preprocessing.

    The latter is None where the channels are not those of a picture. KeyError where the zoo has no such
    network; ValueError where the config changes it.
    """
    arch = zoo.get(config["architecture"])
    arguments = _arguments(config)
    size = (test_size and config.get("test_input_size")) or config["input_size"]
    crop = (test_size and config.get("test_crop_pct")) or config.get("crop_pct")
    if not isinstance(size, list | tuple) or len(size) != 3 or size[1] != size[2]:
        raise ValueError(f"input_size={size} must be [channels, side, side]: networks here read squares.")
    channels = arguments.get("in_chans", size[0])
    arch = arch.replace(num_classes=config["num_classes"], in_channels=channels, resolution=size[1])
    told = {"crop": crop, **{key: config.get(key) for key in ("crop_mode", "interpolation", "mean", "std")}}
    told = {key: value for key, value in told.items() if value is not None}
    if len(told.get("mean", Preprocessing.mean)) != channels or channels not in MODES:
        return arch, None
    return arch, Preprocessing(side=size[1], **told)


def _arguments(config: Mapping[str, Any]) -> dict[str, Any]:
    """Refuse a network that was built otherwise than the zoo's: its logits would be wrong without a word."""
    arguments = dict(config.get("model_args", {}))
    if unknown := sorted(set(arguments) - set(BUILT)):
        raise ValueError(
            f"model_args={arguments} builds {config['architecture']} with {', '.join(unknown)}, which the zoo's has not: "
            f"known are {', '.join(BUILT)}."
        )
    pool = arguments.get("global_pool", config.get("global_pool", "avg"))
    if pool != "avg":
        raise ValueError(f"global_pool={pool!r} must be 'avg': networks here average the feature map.")
    return arguments
