"""What must not be lost: kills, damage, full disks, lost peers and malformed input, tried by seed."""
