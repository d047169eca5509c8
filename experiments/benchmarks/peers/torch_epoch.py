"""One epoch in PyTorch as its tutorials write it: a DataLoader that crops and flips, SGD, an evaluation."""

from __future__ import annotations

import time

import numpy as np
import torch
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from experiments.benchmarks.peers.torch_networks import DEVICE, build
from experiments.benchmarks.prepared import BEGAN, Prepared
from experiments.benchmarks.tasks import Epoch, Job

PAD = 4
MEAN = STD = 127.5


class Images(Dataset):
    """A split of an .npz file; training images are padded, cropped back and mirrored at random."""

    def __init__(self, path: str, split: str):
        with np.load(path) as arrays:
            self.images = torch.from_numpy(arrays[f"{split}_image"]).permute(0, 3, 1, 2).contiguous()
            self.labels = torch.from_numpy(arrays[f"{split}_label"]).long()
        self.train = split == "train"

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int):
        image = (self.images[index].float() - MEAN) / STD
        return (_moved(image) if self.train else image), self.labels[index]


def _moved(image):
    padded = functional.pad(image, (PAD,) * 4)
    top, left = torch.randint(0, 2 * PAD + 1, (2,)).tolist()
    cropped = padded[:, top : top + image.shape[1], left : left + image.shape[2]]
    return cropped.flip(2) if torch.rand(()) < 0.5 else cropped


def epoch(job: Job, task: Epoch) -> Prepared:
    """Hold what trains when told to."""
    layout = torch.contiguous_format if job.contender == "torch NCHW" else torch.channels_last

    def call() -> float:
        net = build(task.model).to(DEVICE, memory_format=layout)
        loaders = [
            DataLoader(Images(task.dir, split), task.batch, split == "train", num_workers=job.cores)
            for split in ("train", "test")
        ]
        _train(net, loaders[0], layout)
        _evaluate(net, loaders[1], layout)
        return time.perf_counter() - BEGAN

    return Prepared(call)


def _train(net, batches, layout) -> None:
    optimizer = torch.optim.SGD(net.parameters(), 0.1, momentum=0.9, weight_decay=1e-4)
    for images, labels in batches:
        optimizer.zero_grad(set_to_none=True)
        logits = net(images.to(DEVICE, memory_format=layout))
        functional.cross_entropy(logits, labels.to(DEVICE)).backward()
        optimizer.step()


@torch.inference_mode()
def _evaluate(net, batches, layout) -> float:
    net.eval()
    right = [
        (net(images.to(DEVICE, memory_format=layout)).argmax(1).cpu() == labels).float()
        for images, labels in batches
    ]
    return torch.cat(right).mean().item()
