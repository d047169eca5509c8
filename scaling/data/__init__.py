"""Image data: sources, exact splits, feeding order, and augmentation on the device."""

from scaling.data.dataset import Dataset, load
from scaling.data.splits import ArraySplit, Split, StreamSplit

__all__ = ["ArraySplit", "Dataset", "Split", "StreamSplit", "load"]
