"""What a block costs, in closed form: sums over its layers, and the site that they depend on.

Conventions are those of `scaling.cost.counting`, which walks the network that is built.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Totals:
    """Sums over the layers of one example's forward pass."""

    params: int = 0
    batch_stats: int = 0
    macs: int = 0
    activations: int = 0

    @property
    def params_with_bn_stats(self) -> int:
        return self.params + self.batch_stats

    def conv(
        self, side: int, channels: int, width: int, kernel: int = 1, groups: int = 1, bias: bool = False
    ) -> None:
        """Add a convolution that leaves side x side pixels; a fully connected layer leaves one."""
        taps, outputs = kernel * kernel * channels // groups + bias, side * side * width
        self.params += taps * width
        self.macs += taps * outputs
        self.activations += outputs

    def norm(self, width: int) -> None:
        """Add the scale and shift of batch norm, and its running mean and variance."""
        self.params += 2 * width
        self.batch_stats += 2 * width

    def layer_norm(self, width: int) -> None:
        """Add the scale and shift of layer norm."""
        self.params += 2 * width

    def conv_norm(self, side: int, channels: int, width: int, kernel: int = 1, groups: int = 1) -> None:
        """Add a convolution without bias, then batch norm."""
        self.conv(side, channels, width, kernel, groups)
        self.norm(width)

    def squeeze_excite(self, width: int, squeeze: int) -> None:
        """Add the two layers that compute a gate for each channel."""
        self.conv(1, width, squeeze, bias=True)
        self.conv(1, squeeze, width, bias=True)

    def resize(self, side: int, out: int, channels: int) -> None:
        """Add bilinear resizing: two matrix products, rows then columns; none where the side stays.

        For a single pixel of many channels the weights of rows and columns are multiplied first.
        """
        if side != out:
            first = out * (min(channels, out) if side == 1 else channels * side)
            self.macs += first * side + out * out * channels * side
            self.activations += first + out * out * channels

    def add(self, other: Totals, times: int = 1) -> None:
        """Add the sums of another part, `times` over."""
        self.params += times * other.params
        self.batch_stats += times * other.batch_stats
        self.macs += times * other.macs
        self.activations += times * other.activations


@dataclass(frozen=True)
class Site:
    """Where a block stands: channels and side in pixels that enter and leave it, and its stride."""

    channels: int
    width: int
    side: int
    out: int
    stride: int

    @property
    def changes(self) -> bool:
        """Whether what leaves has another shape than what enters."""
        return self.stride != 1 or self.channels != self.width


@dataclass(frozen=True)
class Map:
    """A feature map that a head reads: its channels, its side in pixels, and how many of the input's one is.

    A map that a neck makes has no stride of its own (0).
    """

    channels: int
    side: int
    stride: int = 0
