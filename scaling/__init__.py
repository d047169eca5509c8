"""Compound scaling of convolutional networks: architectures as values, and functions of them."""

from scaling.arch import Arch
from scaling.budget import Solution, ladder, solve
from scaling.counting import Cost, count
from scaling.models.network import build
from scaling.rules import compound, scale
from scaling.weights import load_torch, to_torch
from scaling.zoo import get, names

__all__ = [
    "Arch",
    "Cost",
    "Solution",
    "build",
    "compound",
    "count",
    "get",
    "ladder",
    "load_torch",
    "names",
    "scale",
    "solve",
    "to_torch",
]
