"""Data-parallel training on paper: the limits that its formulas have, and the table printed of them."""

from pathlib import Path

import pytest

import scaling
from scaling.cost.many_devices import Cluster, efficiency, host_images, reduce_seconds

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "many_machines.md"
# Images a second of one device, assumed: the table's efficiency goes by it
ASSUMED = {"efficientnet_b0": 2000.0, "efficientnet_b4": 350.0, "resnet50": 2500.0}
BATCH, BANDWIDTH = 64, 25e9  # a device; bytes a second of each device, 200 Gbit/s


def test_one_device_says_nothing_and_many_approach_twice_the_bytes():
    assert reduce_seconds(1e6, Cluster(1, 1e9)) == 0
    assert efficiency(0.1, 1e6, Cluster(1, 1e9)) == 1
    ring = Cluster(10**6, 1e9, latency=0.0)
    assert reduce_seconds(1e6, ring) == pytest.approx(2e-3, rel=1e-5)


def test_efficiency_falls_with_devices_and_rises_with_bandwidth_and_overlap():
    shares = [efficiency(0.05, 1e8, Cluster(n, 25e9)) for n in (1, 8, 64, 512, 4096)]
    assert shares == sorted(shares, reverse=True) and shares[-1] > 0
    assert efficiency(0.05, 1e8, Cluster(8, 1e9)) < efficiency(0.05, 1e8, Cluster(8, 1e10))
    assert efficiency(0.05, 1e8, Cluster(8, 1e9), hidden=1.0) == 1
    assert host_images(100.0, 0.5, Cluster(64, 1e9)) == 8 * 50.0


def lines():
    """The lines of the guide's table."""
    for name, rate in ASSUMED.items():
        size = 4.0 * scaling.count(scaling.get(name)).params
        for devices in (8, 64, 512, 4096):
            cluster = Cluster(devices, BANDWIDTH)
            share = efficiency(BATCH / rate, size, cluster)
            read = host_images(rate, share, cluster)
            yield (
                f"| {name} | {devices:,} | {size / 1e6:.1f} | {reduce_seconds(size, cluster) * 1e3:.1f} | "
                f"{share:.0%} | {read:,.0f} | {BATCH * devices:,} |"
            )


def test_the_guide_prints_what_the_formulas_give():
    text = GUIDE.read_text()
    missing = [line for line in lines() if line not in text]
    assert not missing, "\n".join(missing)
