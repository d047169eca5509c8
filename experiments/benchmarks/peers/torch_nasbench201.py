"""A NAS-Bench-201 network in PyTorch, from arXiv 2001.00326 section 2.1."""

from __future__ import annotations

from torch import nn

FILTERS, REPEATS = (16, 32, 64), 5
SOURCES = (0, 0, 1, 0, 1, 2)  # which state each of the six edges reads
INTO = ((0,), (1, 2), (3, 4, 5))  # the edges that are added into each node


class NasBench201(nn.Module):
    """Three stages of cells with residual reductions between, 10 classes; six digits name the cell."""

    def __init__(self, digits: str):
        super().__init__()
        layers = [nn.Conv2d(3, FILTERS[0], 3, 1, 1, bias=False), nn.BatchNorm2d(FILTERS[0])]
        for stage, width in enumerate(FILTERS):
            if stage:
                layers.append(Reduction(FILTERS[stage - 1], width))
            layers += [Cell(digits, width) for _ in range(REPEATS)]
        self.body = nn.Sequential(*layers, nn.BatchNorm2d(FILTERS[-1]), nn.ReLU(inplace=True))
        self.classifier = nn.Linear(FILTERS[-1], 10)

    def forward(self, images):
        return self.classifier(self.body(images).mean((2, 3)))


class Cell(nn.Module):
    """Three nodes, each the sum of an operation on every state before it; the last one is the output."""

    def __init__(self, digits: str, width: int):
        super().__init__()
        self.edges = nn.ModuleList(_operation(digit, width) for digit in digits)

    def forward(self, x):
        states = [x]
        for edges in INTO:
            given = [self.edges[i](states[SOURCES[i]]) for i in edges if self.edges[i] is not None]
            states.append(sum(given[1:], given[0]) if given else x.new_zeros(x.shape))
        return states[-1]


class Reduction(nn.Module):
    """Two convolutions at half the side, added to the averaged and projected input."""

    def __init__(self, channels: int, width: int):
        super().__init__()
        self.body = nn.Sequential(_conv(channels, width, 3, 2), _conv(width, width, 3, 1))
        self.shortcut = nn.Sequential(nn.AvgPool2d(2, 2), nn.Conv2d(channels, width, 1, bias=False))

    def forward(self, x):
        return self.body(x) + self.shortcut(x)


def _operation(digit: str, width: int) -> nn.Module | None:
    if digit == "0":
        return None
    if digit == "1":
        return nn.Identity()
    if digit == "4":
        return nn.AvgPool2d(3, 1, 1, count_include_pad=False)
    return _conv(width, width, 1 if digit == "2" else 3, 1)


def _conv(channels: int, width: int, kernel: int, stride: int) -> nn.Module:
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(channels, width, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(width),
    )
