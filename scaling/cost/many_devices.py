"""Data-parallel training on paper: seconds of an all-reduce, efficiency, and what each host must read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cluster:
    """`devices`, `a_host` to a host, that send `bandwidth` bytes a second at `latency` seconds a message."""

    devices: int
    bandwidth: float
    latency: float = 5e-6
    a_host: int = 8


def reduce_seconds(size: float, cluster: Cluster) -> float:
    """Seconds of a ring's all-reduce of `size` bytes: 2 (n - 1) messages of size / n a device."""
    messages = 2 * (cluster.devices - 1)
    return messages * (size / cluster.devices / cluster.bandwidth + cluster.latency)


def efficiency(step_seconds: float, size: float, cluster: Cluster, hidden: float = 0.0) -> float:
    """The share of a step that devices compute; all but a part `hidden` of the all-reduce is waited for."""
    return step_seconds / (step_seconds + (1 - hidden) * reduce_seconds(size, cluster))


def host_images(images_a_second: float, share: float, cluster: Cluster) -> float:
    """Images a second that each host must read, of devices that train so many each, at an efficiency."""
    return images_a_second * share * min(cluster.devices, cluster.a_host)
