"""How many pixels a window is padded by, and how many it leaves."""

from __future__ import annotations


def pads(
    size: int, kernel: int, stride: int, padding: str, pad: int | None = None, ceil: bool = False
) -> tuple[int, int]:
    """Padding before and after one axis: "torch" is symmetric, "tf" is SAME (more at the end).

    `pad` says both instead; `ceil` adds what a last window lacks that begins inside.
    """
    if pad is not None:
        last = -(-(size + 2 * pad - kernel) // stride) * stride
        last -= stride if last >= size + pad else 0
        return pad, max(pad, last + kernel - size - pad) if ceil else pad
    if padding == "torch":
        return kernel // 2, kernel // 2 if kernel % 2 else kernel // 2 - 1
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def side_after(
    side: int, kernel: int, stride: int, padding: str, pad: int | None = None, ceil: bool = False
) -> int:
    """Return the pixels that leave one axis of a padded window."""
    return (side + sum(pads(side, kernel, stride, padding, pad, ceil)) - kernel) // stride + 1


def side_before(side: int, kernel: int, stride: int, pad: int | None = None, dilation: int = 1) -> int:
    """Return the fewest pixels of which a window leaves `side`; with `pad` None it keeps what it can."""
    unpadded = 0 if pad is None else (kernel - 1 - 2 * pad) * dilation
    return max(1, (side - 1) * stride + 1 + unpadded)
