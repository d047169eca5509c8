"""What share of a GPU's published peaks a step or an operator reaches."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Peak:
    """Dense bfloat16 operations and memory traffic, a second."""

    flops: float
    bytes: float


PEAKS = {  # by JAX's device_kind
    # NVIDIA H100 datasheet: SXM 989 TFLOP/s (1,979 with sparsity), 3.35 TB/s; PCIe 756 (1,513), 2 TB/s
    "NVIDIA H100 80GB HBM3": Peak(989e12, 3.35e12),
    "NVIDIA H100 PCIe": Peak(756e12, 2.0e12),
    # NVIDIA H200 datasheet: 989 TFLOP/s (1,979 with sparsity), 4.8 TB/s
    "NVIDIA H200": Peak(989e12, 4.8e12),
    # NVIDIA A100 datasheet: 312 TFLOP/s; 40 GB 1,555 GB/s, 80 GB PCIe 1,935 GB/s, 80 GB SXM 2,039 GB/s
    "NVIDIA A100-SXM4-40GB": Peak(312e12, 1.555e12),
    "NVIDIA A100-PCIE-40GB": Peak(312e12, 1.555e12),
    "NVIDIA A100 80GB PCIe": Peak(312e12, 1.935e12),
    "NVIDIA A100-SXM4-80GB": Peak(312e12, 2.039e12),
}

PASSES = {"train": 3, "inference": 1, "forward": 1, "forward + backward": 3}  # of a forward pass's MACs


def shares(device_kind: str, seconds: float, macs: float, traffic: float | None) -> dict[str, float]:
    """Return {"flop_share", "bandwidth_share"} of the peaks; nothing for a device that is not listed.

    `macs` are multiply-adds (2 FLOPs each) and `traffic` the bytes moved in `seconds`.
    """
    peak = PEAKS.get(device_kind)
    if peak is None:
        return {}
    found = {"flop_share": 2 * macs / seconds / peak.flops}
    return found | ({} if traffic is None else {"bandwidth_share": traffic / seconds / peak.bytes})
