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
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from jax.experimental import multihost_utils

from scaling.border.disk import as_os_error, sync, sync_tree
from scaling.border.files import read_json

CHECKSUMS, META, STATE = "sha256.json", "meta.json", "state"
IDENTITY = "identity"  # of `meta.json`: the run and the number of the checkpoint, not the caller's to see
NONE = -1


def save(
    directory: Path,
    step: int,
    state: Any,
    meta: dict[str, Any],
    keep: int,
    run: str | None = None,
    held: int | None = None,
) -> None:
    """Write a host state and its JSON-able `meta`; then drop all but the newest `keep` intact ones.

    Only process 0 writes. A checkpoint is deleted only once `keep` newer ones are verified intact. What a
    dead process left is removed first, and what this one cannot finish, at once: a full disk recovers. `run`
    is the id of the run, `held` a step whose checkpoint stays, however old. OSError where the disk refuses.
    """
    if jax.process_index() != 0:
        return
    directory = Path(directory).absolute()
    _clear(directory)
    temporary = directory / f".{step:08d}.{os.getpid()}"
    try:
        _write(temporary, state, {**meta, IDENTITY: {"run": run, "step": step}})
        _publish(temporary, directory / f"{step:08d}")
    except Exception as error:
        shutil.rmtree(temporary, ignore_errors=True)
        if (refused := as_os_error(error, directory)) is not None:
            raise refused from error
        raise
    _prune(directory, keep, held)


def restore(
    directory: Path,
    like: Any = None,
    newest: int | None = None,
    run: str | None = None,
    repair: bool = True,
    among: Callable[[int], bool] = lambda step: True,
) -> tuple[Any, dict[str, Any]] | None:
    """Return (state, meta) of the newest intact checkpoint up to step `newest`; None where there is none.

    Only steps of which `among` is true are looked at.

    Damaged ones, and those of another run than `run`, are named in a warning and, with `repair`, renamed to
    `*.damaged`; one that made room for another which did not come is there again. `like` is a state of the
    same structure (None: dicts and lists in its place); the arrays come back as NumPy's. All processes get
    the same checkpoint. ValueError where arrays do not fit `like`.
    """
    directory = Path(directory).absolute()
    step = _newest_intact(directory, newest, run, repair, among) if jax.process_index() == 0 else NONE
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
        state = checkpointer.restore(path / STATE, args=args)
    if like is not None:
        _check_fit(path, state, like)
    meta = read_json(path / META)
    meta.pop(IDENTITY, None)
    return state, meta


def drop_after(directory: Path, step: int) -> None:
    """Remove the checkpoints after a step, newest first: the run has gone back to it."""
    if jax.process_index() == 0:
        for later in reversed([saved for saved in saved_steps(directory) if saved > step]):
            gone = directory / f".{later:08d}.{os.getpid()}.gone"  # no half of it is ever seen
            (directory / f"{later:08d}").rename(gone)
            shutil.rmtree(gone, ignore_errors=True)


def saved_steps(directory: Path) -> list[int]:
    """Return the steps of the complete checkpoints, oldest first, damaged or not."""
    return sorted(int(path.name) for path in Path(directory).glob("[0-9]*") if path.name.isdigit())


def problems(path: Path, run: str | None = None) -> list[str]:
    """Compare one checkpoint with its checksums, its name and a run; return a line for each that differs.

    Checkpoints from before they told their run and number are taken at their word.
    """
    try:
        expected, found = read_json(path / CHECKSUMS), _checksums(path)
        if not isinstance(expected, dict) or not expected:
            return [f"{CHECKSUMS}: lists no file"]
        differing = [n for n in sorted(expected.keys() | found.keys()) if expected.get(n) != found.get(n)]
        if differing or META not in found:
            return [f"{name}: {_difference(name, expected, found)}" for name in differing or [META]]
        meta = read_json(path / META)
    except (OSError, ValueError) as error:
        return [f"{path.name}: {error}"]
    if not isinstance(meta, dict):
        return [f"{META}: holds no fields"]
    told = meta.get(IDENTITY) or {}
    lines = [f"it is of run {told['run']}"] if run and told.get("run") not in (None, run) else []
    return lines + (
        [f"it is of step {told['step']}"] if told.get("step", int(path.name)) != int(path.name) else []
    )


def _difference(name: str, expected: dict[str, str], found: dict[str, str]) -> str:
    if name not in found:
        return "is not there"
    return "checksum differs" if name in expected else f"is not listed in {CHECKSUMS}"


def _write(temporary: Path, state: Any, meta: dict[str, Any]) -> None:
    """Write a checkpoint's files, and return once they are on the disk."""
    temporary.mkdir(parents=True)
    with _checkpointer() as checkpointer:
        checkpointer.save(temporary / STATE, args=ocp.args.PyTreeSave(state))
    (temporary / META).write_text(json.dumps(meta))
    (temporary / CHECKSUMS).write_text(json.dumps(_checksums(temporary), indent=1))
    sync_tree(temporary)


def _publish(temporary: Path, final: Path) -> None:
    """Give a finished checkpoint its name; one that had it makes room first, and is then removed.

    A kill in between leaves that one, for `_mend`.
    """
    old = final.with_name(f".{final.name}.{os.getpid()}.old")
    if final.exists():
        final.rename(old)
    os.replace(temporary, final)
    sync(final.parent)
    shutil.rmtree(old, ignore_errors=True)


def _check_fit(path: Path, state: Any, like: Any) -> None:
    """Raise ValueError where a state's arrays are not those of `like`: Orbax does not compare shapes."""
    for (place, ours), theirs in zip(jax.tree_util.tree_leaves_with_path(like), jax.tree.leaves(state)):
        if np.shape(ours) != np.shape(theirs):
            raise ValueError(
                f"checkpoint {path} holds {np.shape(theirs)} at {jax.tree_util.keystr(place)}, this run needs "
                f"{np.shape(ours)}, so it is of another network: move it away, or choose another --workdir."
            )


def _newest_intact(
    directory: Path, newest: int | None, run: str | None, repair: bool, among: Callable[[int], bool]
) -> int:
    if repair:
        _mend(directory)
    steps = [step for step in saved_steps(directory) if (newest is None or step <= newest) and among(step)]
    for step in reversed(steps):
        path = directory / f"{step:08d}"
        found = problems(path, run)
        if not found:
            return step
        aside = path.with_name(f"{path.name}.damaged")
        if repair:
            shutil.rmtree(aside, ignore_errors=True)
            path.rename(aside)
        warnings.warn(
            f"checkpoint of step {step} in {directory} is damaged or misplaced ({'; '.join(found[:3])}): it is "
            f"{f'set aside as {aside.name}' if repair else 'left alone'}, and an older one is used.",
            stacklevel=3,
        )
    return NONE


def _prune(directory: Path, keep: int, held: int | None) -> None:
    intact = [s for s in saved_steps(directory) if not problems(directory / f"{s:08d}")]
    for step in saved_steps(directory):
        if len(intact) > keep and step < intact[-keep] and step != held:
            shutil.rmtree(directory / f"{step:08d}")


def _clear(directory: Path) -> None:
    """Remove what processes that died in a save have left; the directory is held, so none is alive."""
    _mend(directory)
    for leftover in directory.glob(".[0-9]*"):
        shutil.rmtree(leftover, ignore_errors=True)


def _mend(directory: Path) -> None:
    """Give checkpoints their names back that made room for others which then did not come."""
    for old in directory.glob(".[0-9]*.old"):
        final = old.with_name(old.name.split(".")[1])
        if not final.exists():
            old.rename(final)


def _checksums(path: Path) -> dict[str, str]:
    """SHA-256 of every file below a checkpoint by its name; ValueError for what is no file of its own."""
    found = {}
    for file in sorted(path.rglob("*")):
        name = str(file.relative_to(path))
        if file.is_symlink() or not (file.is_file() or file.is_dir()):
            raise ValueError(f"{name} is a link or no file")
        if file.is_file() and name != CHECKSUMS:
            with open(file, "rb") as content:
                found[name] = hashlib.file_digest(content, "sha256").hexdigest()
    return found


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
