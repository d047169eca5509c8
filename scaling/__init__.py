"""Compound scaling of convolutional networks: architectures as values, and functions of them."""

from scaling.arch.arch import Arch
from scaling.arch.custom import Custom
from scaling.cost.counting import Cost, count
from scaling.cost.receptive_fields import Field, receptive_fields
from scaling.cost.solve import Solution, ladder, solve
from scaling.models.backbone import backbone
from scaling.models.initialize import initialize
from scaling.models.network import build
from scaling.rules.scale import compound, scale
from scaling.weights.files import load, save
from scaling.weights.heads import replace_head
from scaling.weights.pretrained import from_pretrained
from scaling.weights.torch import load_torch, to_torch
from scaling.zoo import get, names

__version__ = "0.1.0"

__all__ = [
    "Arch",
    "Cost",
    "Custom",
    "Field",
    "Solution",
    "backbone",
    "build",
    "compound",
    "count",
    "from_pretrained",
    "get",
    "initialize",
    "ladder",
    "load",
    "load_torch",
    "names",
    "receptive_fields",
    "replace_head",
    "save",
    "scale",
    "solve",
    "to_torch",
]
