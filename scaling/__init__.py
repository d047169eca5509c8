"""Compound scaling of convolutional networks: architectures as values, and functions of them."""

from scaling.arch import Arch
from scaling.counting import Cost, count
from scaling.models.network import build
from scaling.pretrained import from_pretrained
from scaling.rules import compound, scale
from scaling.weight_files import load, save
from scaling.weights import load_torch, to_torch
from scaling.zoo import get, names

__all__ = [
    "Arch",
    "Cost",
    "build",
    "compound",
    "count",
    "from_pretrained",
    "get",
    "load",
    "load_torch",
    "names",
    "save",
    "scale",
    "to_torch",
]
