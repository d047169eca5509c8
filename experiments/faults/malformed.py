"""Malformed input of every kind: a sentence or a value of the right kind, never a traceback from within.

Each case is drawn from a seed, so that one that fails is told by its number (`tests/test_malformed.py`).
"""

from __future__ import annotations

import copy
import functools
import io
import json
import random
import signal
import tarfile
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import scaling
from experiments.faults.kind import Kind
from experiments.faults.lab import Lab
from scaling.arch.arch import Arch
from scaling.border import archives
from scaling.data import load
from scaling.models.initialize import initialize
from scaling.runs.rows import Row, read_row, write_row
from scaling.runs.rows_csv import read_csv, to_csv
from scaling.runs.spec import AugmentSpec, DataSpec, RunSpec
from search.runs.history import Record
from search.runs.spec import SearchSpec
from search.spaces import user

LARGEST = 2**28  # bytes that no case may allocate
LONGEST = 60  # seconds that no case may take
ODD = (
    None, True, False, 0, -1, 1, 2, 3, 10**30, -(10**30), 0.5, -0.5, 1e308, float("nan"), float("inf"), "", "x",
    "-", "../x", "\0", "é" * 50, [], {}, [[]], [1], {"a": 1}, {"type": "Arch"}, {"type": []}, ["x"] * 20, [None] * 3,
)  # fmt: skip
ARCHS = [
    scaling.get(name)
    for name in ("lenet5", "resnet18", "mnasnet_small", "densenet121", "inception_v3", "ghostnet_100")
]
ARCHS += [
    scaling.get(name)
    for name in ("convnext_tiny", "darts", "shufflenet_v2_x1_0", "regnetx_200mf")
    if name in scaling.names()
]
ROW = Row(
    id="abc", status="ok", spec=RunSpec(), arch_name="tiny", family="tests", depth_factor=1.2, width_factor=1.1,
    resolution=8, phi=None, params=10, batch_stats=4, macs=100, activations=20, seed=0, examples={"train": 5},
)  # fmt: skip
RECORD = Record(
    index=0, point=(1, 2), name="a", network="a", rewards=(0.5,), cached=False, metrics={"top1": 0.5}
)


Case = Callable[[random.Random, Path], Callable[[], Any]]  # makes input in a directory; returns its reader


def places(value: Any, path: tuple = ()) -> Iterator[tuple]:
    """All paths into nested dicts and lists."""
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in inner:
        yield from places(below, (*path, key))


def mutated(value: Any, rng: random.Random) -> Any:
    """A nested value with one to three places replaced, removed, doubled or renamed."""
    value = copy.deepcopy(value)
    for _ in range(rng.choice((1, 1, 2, 3))):
        paths = [path for path in places(value) if path]
        if not paths:
            return value
        *outer, last = rng.choice(paths)
        at = value
        for key in outer:
            at = at[key]
        kind = rng.randrange(6)
        if kind < 3:
            at[last] = copy.deepcopy(rng.choice(ODD))
        elif kind == 3:
            del at[last]
        elif isinstance(at, dict):
            at[f"{last}s"] = at.pop(last)
        else:
            at[last:last] = [copy.deepcopy(at[last])] * rng.choice((1, 40))
    return value


def mutated_text(value: Any, rng: random.Random) -> str:
    """JSON of a mutated value; now and then not even that."""
    text = json.dumps(mutated(value, rng))
    kind = rng.randrange(12)
    if kind == 0:
        return text[: rng.randrange(len(text))]
    return "[" * 100_000 if kind == 1 and rng.random() < 0.3 else text


def mutated_bytes(content: bytes, rng: random.Random) -> bytes:
    """Bytes with one to eight bits, words or blocks turned over, overwritten, removed or doubled."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 8))):
        at, kind = rng.randrange(len(data)), rng.randrange(4)
        if kind == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            data[at : at + 8] = rng.choice((b"\xff" * 8, bytes(8), b"77777777"))
        elif kind == 2:
            del data[at : at + rng.choice((1, 512, 4096))]
        else:
            data[at:at] = data[max(0, at - 512) : at]
        data = data or bytearray(b"\0")
    return bytes(data)


def check(action: Callable[[], Any]) -> None:
    """Read what was made: soon and in bounds, a value that makes sense or an error that a person can read."""
    tracemalloc.start()
    before = signal.signal(signal.SIGALRM, _late)
    signal.alarm(LONGEST)
    try:
        action()
    except (ValueError, KeyError) as error:
        text = str(error)
        assert 5 < len(text) < 5000 and "Traceback" not in text, text
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < LARGEST, f"{peak} bytes"


def _late(signum: int, frame: Any) -> None:
    raise TimeoutError(f"it took more than {LONGEST} s")


def arch_json(rng: random.Random, directory: Path) -> Callable[[], Any]:
    """A network's JSON."""
    text = mutated_text(rng.choice(ARCHS).to_dict(), rng)

    def read():
        arch = Arch.from_json(text)
        assert Arch.from_json(arch.to_json()) == arch and hash(arch)
        assert arch.least_side > 0 and arch.depth >= 0 and arch.replace(num_classes=3).sizes

    return read


def run_spec(rng: random.Random, directory: Path) -> Callable[[], Any]:
    """The config of a run."""
    values = mutated(
        RunSpec().to_dict() | {"model": {"arch": rng.choice(ARCHS).to_dict(), "rule": "axes"}}, rng
    )

    def read():
        spec = RunSpec.from_config(values)
        assert RunSpec.from_config(spec.to_dict()) == spec and len(spec.id) == 12

    return read


def search_spec(rng: random.Random, directory: Path) -> Callable[[], Any]:
    """The config of a search."""
    values = mutated(SearchSpec().to_dict(), rng)

    def read():
        spec = SearchSpec.from_config(values)
        assert SearchSpec.from_config(spec.to_dict()).id == spec.id

    return read


def row_json(rng: random.Random, directory: Path) -> Callable[[], Any]:
    """A run's row."""
    (directory / "row.json").write_text(mutated_text(ROW.to_dict(), rng))

    def read():
        row = read_row(directory / "row.json")
        write_row(directory / "again.json", row)
        assert read_row(directory / "again.json") == row and to_csv([row])

    return read


def rows_csv(rng: random.Random, directory: Path) -> Callable[[], Any]:
    """A table of rows."""
    (directory / "rows.csv").write_bytes(mutated_bytes(to_csv([ROW, ROW]).encode(), rng))

    def read():
        rows, problems = read_csv(directory / "rows.csv")
        assert to_csv(rows) and all(isinstance(problem, str) for problem in problems)

    return read


def record_json(rng: random.Random, directory: Path) -> Callable[[], Any]:
    """A line of a history."""
    values = json.loads(RECORD.to_json())
    del values["crc"]
    text = mutated_text(values, rng)
    return lambda: Record.from_json(Record.from_json(text).to_json()).rewards[:1]


def a_table(rng: random.Random, directory: Path) -> Callable[[], Any]:
    """A table of a benchmark of one's own."""
    lines = ["a,b,acc", *(f"{a},{b},{a + b}" for a in range(3) for b in range(3))]
    (directory / "t.csv").write_bytes(mutated_bytes("\n".join(lines).encode(), rng))
    return lambda: user.load(directory / "t.csv", ["a", "b"], ["acc"])


def an_archive(rng: random.Random, directory: Path) -> Callable[[], Any]:
    """A .tar or .zip of files."""
    files = {f"{name}/{i}.png": bytes([i]) * 700 for name in "ab" for i in range(3)}
    out, suffix = io.BytesIO(), rng.choice(("tar", "zip"))
    if suffix == "tar":
        with tarfile.open(
            fileobj=out, mode="w", format=rng.choice((tarfile.PAX_FORMAT, tarfile.GNU_FORMAT))
        ) as packed:
            for name, data in files.items():
                entry = tarfile.TarInfo("d" * rng.choice((1, 120)) + "/" + name)
                entry.size = len(data)
                packed.addfile(entry, io.BytesIO(data))
    else:
        with zipfile.ZipFile(out, "w", rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as packed:
            for name, data in files.items():
                packed.writestr(name, data)
    path = directory / f"set.{suffix}"
    path.write_bytes(mutated_bytes(out.getvalue(), rng))

    def read():
        for member in archives.walk(path).members:
            try:
                member.read()
            except (ValueError, zlib.error):
                continue

    return read


def arrays(rng: random.Random, directory: Path) -> Callable[[], Any]:
    """An .npz of images."""
    values = {f"{s}_{k}": v for s in ("train", "test") for k, v in
              (("image", np.zeros((8, 4, 4), np.uint8)), ("label", np.arange(8) % 2))}  # fmt: skip
    (np.savez if rng.random() < 0.5 else np.savez_compressed)(directory / "set.npz", **values)
    path = directory / "set.npz"
    path.write_bytes(mutated_bytes(path.read_bytes(), rng))
    return lambda: load(DataSpec(source="npz", dir=str(path)), AugmentSpec(), 4).test()


IMAGES = [{"id": i, "file_name": f"{i}.png", "width": 4, "height": 4} for i in range(3)]
NOTES = [{"image_id": i, "category_id": i % 2, "bbox": [0, 1, 2, 2]} for i in range(3)]
COCO = {"images": IMAGES, "annotations": NOTES, "categories": [{"id": i, "name": "ab"[i]} for i in (0, 1)]}
SCENES = [{"file": f"{i}.png", "width": 4, "height": 4, "objects": [[i % 2, 0, 1, 2, 3]]} for i in range(3)]
XML = (
    "<annotation><size><width>4</width><height>4</height></size><object><name>a</name><bndbox><xmin>0</xmin>"
    "<ymin>1</ymin><xmax>2</xmax><ymax>3</ymax></bndbox></object></annotation>"
)


def annotations(rng: random.Random, directory: Path) -> Callable[[], Any]:
    """Boxes in each format that is read."""
    for i in range(3):
        Image.new("RGB", (4, 4)).save(directory / f"{i}.png")
    source = rng.choice(("boxes", "coco", "voc"))
    if source == "boxes":
        text = mutated_text({"classes": ["a", "b"], "splits": {"train": SCENES, "test": SCENES}}, rng)
        (directory / "boxes.json").write_text(text)
    elif source == "coco":
        for split in ("train", "test"):
            (directory / f"{split}.json").write_text(mutated_text(COCO, rng))
    else:
        for split in ("train", "test"):
            (directory / split).mkdir(exist_ok=True)
            for i in range(3):
                (directory / split / f"{i}.xml").write_bytes(mutated_bytes(XML.encode(), rng))
    data = DataSpec(source, dir=str(directory), train="train", validation_fraction=0.4)
    return lambda: load(data, AugmentSpec(), 4, ("boxes", "label")).test()


@functools.cache
def _lenet() -> tuple[Arch, Any]:
    """A small network and its weights."""
    arch = scaling.get("lenet5")
    return arch, initialize(scaling.build(arch), 0)


def weights(rng: random.Random, directory: Path) -> Callable[[], Any]:
    """A .safetensors file."""
    path, (arch, variables) = directory / "w.safetensors", _lenet()
    scaling.save(path, arch, variables, names=rng.choice(("ours", "peer")) if arch.weights else "ours")
    data = path.read_bytes()
    size = 8 + int.from_bytes(data[:8], "little")
    head = mutated_bytes(data[:size], rng) if rng.random() < 0.7 else data[:size]
    if rng.random() < 0.5:
        header = json.loads(data[8:size])
        network = json.loads(header["__metadata__"]["jax_compound.arch"])
        header["__metadata__"]["jax_compound.arch"] = mutated_text(network, rng)
        text = json.dumps(mutated(header, rng) if rng.random() < 0.5 else header).encode()
        head = len(text).to_bytes(8, "little") + text
    path.write_bytes(head + data[size:])
    return lambda: scaling.load(path)


CASES: tuple[Case, ...] = (
    arch_json,
    run_spec,
    search_spec,
    row_json,
    rows_csv,
    record_json,
    a_table,
    an_archive,
    arrays,
    annotations,
    weights,
)


def one_of_each(lab: Lab, rng: random.Random) -> None:
    """Read one malformed input of each kind; nothing beside the working directory is touched."""
    beside = sorted(lab.root.iterdir())
    for case in CASES:
        seed = rng.randrange(10**6)
        directory = lab.here / case.__name__
        directory.mkdir()
        try:
            check(case(random.Random(seed), directory))
        except Exception as error:
            raise AssertionError(f"{case.__name__}, seed {seed}: {type(error).__name__}: {error}") from error
    assert sorted(lab.root.iterdir()) == beside, "something beside the working directory was touched"


KINDS = (
    Kind(
        "malformed input",
        f"a sentence or a sound value; no traceback, in {LONGEST} s and {LARGEST >> 20} MiB",
        one_of_each,
        91 * len(CASES),
        2 * len(CASES),
        each=len(CASES),
    ),
)
