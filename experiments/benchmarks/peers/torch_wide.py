"""Wide ResNets for 32-pixel images in PyTorch, from arXiv 1605.07146 Table 1 (pre-activation blocks)."""

from __future__ import annotations

from torch import nn


class WideResNet(nn.Module):
    """6n + 4 layers in three stages of widths 16k, 32k and 64k, 10 classes."""

    def __init__(self, depth: int, factor: int):
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        layers, channels = [], 16
        for stage in range(3):
            width = 16 * factor * 2**stage
            for block in range((depth - 4) // 6):
                layers.append(Block(channels, width, 2 if stage and not block else 1))
                channels = width
        self.blocks = nn.Sequential(*layers, nn.BatchNorm2d(channels), nn.ReLU(inplace=True))
        self.classifier = nn.Linear(channels, 10)

    def forward(self, images):
        return self.classifier(self.blocks(self.stem(images)).mean((2, 3)))


class Block(nn.Module):
    """Two normalised, activated convolutions; where shapes change the shortcut is a 1x1 convolution."""

    def __init__(self, channels: int, width: int, stride: int):
        super().__init__()
        self.first = nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU(inplace=True))
        self.body = nn.Sequential(
            nn.Conv2d(channels, width, 3, stride, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, 1, 1, bias=False),
        )
        changes = stride > 1 or channels != width
        self.shortcut = nn.Conv2d(channels, width, 1, stride, bias=False) if changes else None

    def forward(self, x):
        activated = self.first(x)
        return self.body(activated) + (x if self.shortcut is None else self.shortcut(activated))
