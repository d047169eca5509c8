"""Compound scaling of convolutional networks: architectures as values, and functions of them."""

from scaling.arch import Arch
from scaling.budget import Solution, ladder, solve
from scaling.counting import Cost, count
from scaling.custom import Custom
from scaling.fields import Field, receptive_fields
from scaling.models.backbone import backbone
from scaling.models.initialize import initialize
from scaling.models.network import build
from scaling.pretrained import from_pretrained
from scaling.rules import compound, scale
from scaling.weight_files import load, save
from scaling.weights import load_torch, replace_head, to_torch
from scaling.zoo import get, names

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
