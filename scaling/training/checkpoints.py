"""Checkpoints that survive a kill at any moment, and a flipped bit: Orbax trees beside checksums.

`DIR/00000120/` holds `state/` (Orbax), `meta.json` and `sha256.json`; it appears by one rename.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import warnings
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from jax.experimental import multihost_utils

CHECKSUMS = "sha256.json"
NONE = -1


def save(directory: Path, step: int, state: Any, meta: dict[str, Any], keep: int) -> None:
    """Write a host state and its JSON-able `meta`; then drop all but the newest `keep` intact ones.

    Only process 0 writes. A checkpoint is deleted only once `keep` newer ones are verified intact.
    """
    if jax.process_index() != 0:
        return
    directory = Path(directory).absolute()
    temporary, final = directory / f".{step:08d}.{os.getpid()}", directory / f"{step:08d}"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    with _checkpointer() as checkpointer:
        checkpointer.save(temporary / "state", args=ocp.args.PyTreeSave(state))
    (temporary / "meta.json").write_text(json.dumps(meta))
    (temporary / CHECKSUMS).write_text(json.dumps(_checksums(temporary), indent=1))
    if final.exists():
        shutil.rmtree(final)
    os.replace(temporary, final)
    _prune(directory, keep)


def restore(
    directory: Path, like: Any = None, newest: int | None = None
) -> tuple[Any, dict[str, Any]] | None:
    """Return (state, meta) of the newest intact checkpoint up to step `newest`; None where there is none.

    Damaged ones are renamed to `*.damaged`, with a warning that names them. `like` is a state of
    the same structure (None: dicts and lists in its place); the arrays come back as NumPy's. All
    processes get the same checkpoint.
    """
    directory = Path(directory).absolute()
    step = _newest_intact(directory, newest) if jax.process_index() == 0 else NONE
    if jax.process_count() > 1:
        step = int(multihost_utils.broadcast_one_to_all(np.int32(step)))
    if step == NONE:
        return None
    path = directory / f"{step:08d}"
    args = ocp.args.PyTreeRestore()
    if like is not None:
        as_numpy = jax.tree.map(lambda _: ocp.RestoreArgs(restore_type=np.ndarray), like)
        args = ocp.args.PyTreeRestore(item=like, restore_args=as_numpy)
    with _checkpointer() as checkpointer:
        state = checkpointer.restore(path / "state", args=args)
    return state, json.loads((path / "meta.json").read_text())


def saved_steps(directory: Path) -> list[int]:
    """Return the steps of the complete checkpoints, oldest first, damaged or not."""
    return sorted(int(path.name) for path in Path(directory).glob("[0-9]*") if path.name.isdigit())


def problems(path: Path) -> list[str]:
    """Compare one checkpoint with its checksums; return a line for each damaged or missing file."""
    try:
        expected = json.loads((path / CHECKSUMS).read_text())
        found = _checksums(path)
    except (OSError, ValueError) as error:
        return [f"{CHECKSUMS}: {error}"]
    return [f"{name}: checksum differs" for name in expected if found.get(name) != expected[name]]


def _newest_intact(directory: Path, newest: int | None) -> int:
    steps = [step for step in saved_steps(directory) if newest is None or step <= newest]
    for step in reversed(steps):
        path = directory / f"{step:08d}"
        found = problems(path)
        if not found:
            return step
        aside = path.with_name(f"{path.name}.damaged")
        shutil.rmtree(aside, ignore_errors=True)
        path.rename(aside)
        warnings.warn(
            f"checkpoint of step {step} in {directory} is damaged ({'; '.join(found[:3])}): it is set aside as "
            f"{aside.name}, and an older one is used.",
            stacklevel=3,
        )
    return NONE


def _prune(directory: Path, keep: int) -> None:
    intact = [s for s in saved_steps(directory) if not problems(directory / f"{s:08d}")]
    for step in saved_steps(directory):
        if len(intact) > keep and step < intact[-keep]:
            shutil.rmtree(directory / f"{step:08d}")
    for leftover in directory.glob(".[0-9]*"):
        shutil.rmtree(leftover, ignore_errors=True)


def _checksums(path: Path) -> dict[str, str]:
    files = sorted(p for p in path.rglob("*") if p.is_file() and p != path / CHECKSUMS)
    return {str(p.relative_to(path)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@contextlib.contextmanager
def _checkpointer():
    """Yield an Orbax checkpointer of this process alone: our states are copies, equal everywhere."""
    alone = ocp.options.MultiprocessingOptions(
        primary_host=jax.process_index(),
        active_processes={jax.process_index()} if jax.process_count() > 1 else None,
        barrier_sync_key_prefix=f"process{jax.process_index()}" if jax.process_count() > 1 else None,
    )
    handler = ocp.PyTreeCheckpointHandler(multiprocessing_options=alone)
    with ocp.Checkpointer(handler, multiprocessing_options=alone) as checkpointer:
        yield checkpointer
