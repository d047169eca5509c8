"""A PyTorch DataLoader with Pillow over the same photos: the same decoding, or without the draft mode."""

from __future__ import annotations

import io

import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from experiments.benchmarks.peers.our_loader import seconds_an_image, split
from experiments.benchmarks.prepared import Prepared
from experiments.benchmarks.tasks import Job, Load
from scaling.data.splits import StreamSplit


class Photos(Dataset):
    """Photos squeezed to `side`; `draft` lets the JPEG decoder skip what the size does not need."""

    def __init__(self, photos: StreamSplit, side: int, draft: bool):
        self.photos, self.side, self.draft = photos, side, draft

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, index: int):
        encoded = self.photos.encoded.read(int(self.photos.rows[index]))
        with Image.open(io.BytesIO(encoded)) as image:
            if self.draft:
                image.draft("RGB", (2 * self.side, 2 * self.side))
            pixels = image.convert("RGB")
        if pixels.size != (self.side, self.side):
            pixels = pixels.resize((self.side, self.side), Image.Resampling.BILINEAR)
        flat = torch.frombuffer(bytearray(pixels.tobytes()), dtype=torch.uint8)
        return flat.reshape(self.side, self.side, 3), int(self.photos.labels[index])


def load(job: Job, task: Load) -> Prepared:
    """As our loader is timed: workers are started for each run and end with it."""
    draft = job.contender == "torch DataLoader"
    photos = Photos(split(task), task.resolution, draft)
    loader = DataLoader(photos, task.batch, shuffle=True, num_workers=task.workers, drop_last=True)

    def run() -> float:
        return seconds_an_image(iter(loader), task, len(photos)) * job.cores

    return Prepared(run)
