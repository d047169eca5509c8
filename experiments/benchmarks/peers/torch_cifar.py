"""The ResNets for 32-pixel images in PyTorch, from arXiv 1512.03385 section 4.2 (option A shortcuts)."""

from __future__ import annotations

from torch import nn
from torch.nn import functional

WIDTHS = (16, 32, 64)


class CifarResNet(nn.Module):
    """`blocks` blocks of two 3x3 convolutions in three stages, 10 classes: 2 * blocks + 2 layers."""

    def __init__(self, blocks: int):
        super().__init__()
        self.stem = nn.Sequential(*_conv_norm(3, WIDTHS[0], 1), nn.ReLU(inplace=True))
        layers, channels = [], WIDTHS[0]
        for stage, width in enumerate(WIDTHS):
            for block in range(blocks // len(WIDTHS)):
                stride = 2 if stage > 0 and block == 0 else 1
                layers.append(Block(channels, width, stride))
                channels = width
        self.blocks = nn.Sequential(*layers)
        self.classifier = nn.Linear(channels, 10)

    def forward(self, images):
        return self.classifier(self.blocks(self.stem(images)).mean((2, 3)))


class Block(nn.Module):
    """Two convolutions added to the input, which is subsampled and zero-padded where shapes change."""

    def __init__(self, channels: int, width: int, stride: int):
        super().__init__()
        self.stride, self.extra = stride, width - channels
        self.first = nn.Sequential(*_conv_norm(channels, width, stride), nn.ReLU(inplace=True))
        self.second = nn.Sequential(*_conv_norm(width, width, 1))

    def forward(self, x):
        shortcut = x
        if self.stride > 1 or self.extra:
            before = self.extra // 2
            kept = x[:, :, :: self.stride, :: self.stride]
            shortcut = functional.pad(kept, (0, 0, 0, 0, before, self.extra - before))
        return functional.relu(shortcut + self.second(self.first(x)))


def _conv_norm(channels: int, width: int, stride: int) -> tuple[nn.Module, nn.Module]:
    return nn.Conv2d(channels, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
