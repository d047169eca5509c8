"""One network for every `Arch`: stem, stages of repeated blocks (scanned or unrolled), head."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterator
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import lax

from scaling.arch.arch import Arch, Sized
from scaling.arch.blocks.base import LEADING
from scaling.arch.blocks.cell import Cell
from scaling.arch.custom import Custom
from scaling.arch.head import Head
from scaling.arch.stages import Stage
from scaling.models.auxiliary import AUXILIARY, AuxiliaryModule
from scaling.models.blocks import MODULES
from scaling.models.custom_network import CustomNetwork
from scaling.models.head import classify
from scaling.models.heads import answer
from scaling.models.initializers import SHAPES, asks_shapes, inner_rngs
from scaling.models.layers import Settings, fold
from scaling.models.operators import operators_of

DROP_PATH = "drop_path"  # a collection whose "share" is that of the drop-path rates that hold now
NAMES = ("cell", "reduction")  # in "choice", of a cell without and with a stride
Recomputed = bool | tuple[int, ...]  # which stages: all, none, or those of these indices


class Repeated(nn.Module):
    """`length` equal blocks in a row, their variables stacked on a leading axis.

    The tree of variables does not depend on `scan`: a loop runs over the stacked arrays, or each
    layer gets its slice. `drop_rates` (length,) and `indices` (length,) go a block at a time.
    """

    block: nn.Module
    length: int
    scan: bool
    remat: bool = False

    @nn.compact
    def __call__(self, x, train: bool, drop_rates=None, indices=None, keys_b=None):
        stacked = self._variables(x)
        if asks_shapes(self):
            return x
        updating = (
            "batch_stats" in stacked
            and train
            and self.is_mutable_collection("batch_stats")
            and not self.is_initializing()
        )

        def layer(x, inputs):
            variables, rate, index = inputs
            y, updates = self.block.apply(
                variables, x, train, rate, fold(keys_b, index), mutable=["batch_stats"]
            )
            return y, updates["batch_stats"] if updating else None

        step = jax.checkpoint(layer) if self.remat else layer
        loop = lax.scan if self.scan else _unrolled
        x, statistics = loop(step, x, ({k: v.value for k, v in stacked.items()}, drop_rates, indices))
        if updating:
            stacked["batch_stats"].value = statistics
        return x

    def _variables(self, x) -> dict[str, Any]:
        """The stacked collections; created, when initialising, by the block's own initialisation."""
        collections = ("params", "batch_stats")
        if any(self.has_variable(name, "blocks") for name in collections) or not self.is_initializing():
            held = [name for name in collections if self.has_variable(name, "blocks")]
            return {name: self.variable(name, "blocks") for name in held}
        if self.has_rng(SHAPES):
            one = self.block.init(inner_rngs(self), x, False)
            created = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (self.length, *leaf.shape)), one)
        else:
            keys = jax.random.split(self.make_rng("params"), self.length)
            created = jax.vmap(lambda key: self.block.init(key, x, False))(keys)
        return {name: self.variable(name, "blocks", lambda v: v, value) for name, value in created.items()}


def _unrolled(step, x, inputs):
    """Do what `lax.scan` does, by one copy of the step a layer.

    The stacked arrays are split once: the gradient of a split is one concatenation, where that of
    slicing layer by layer would be a sum of arrays as large as the stack.
    """
    length = len(jax.tree.leaves(inputs)[0])
    split = jax.tree.map(lambda a: [jnp.squeeze(s, 0) for s in lax.split(a, (1,) * length)], inputs)
    outer = jax.tree.structure(inputs)
    inner = jax.tree.structure([0] * length)
    outputs = []
    for layer in jax.tree.transpose(outer, inner, split):
        x, out = step(x, layer)
        outputs.append(out)
    return x, jax.tree.map(lambda *leaves: jnp.stack(leaves), *outputs)


class StageModule(nn.Module):
    """The leading blocks of a stage, of which the first may change width and stride, and the equal rest.

    Most blocks take and return a feature map. One that reads two outputs takes a pair, the older first,
    and returns one; its stage's second block still has an older input of another shape.
    """

    stage: Stage
    settings: Settings
    scan: bool | None = None
    remat: bool = False

    @nn.compact
    def __call__(self, x, train: bool, drop_rates=None, start: int = 0, keys_b=None):
        stage, settings = self.stage, self.settings
        module, value = MODULES[type(stage.block)], stage.block.keeping_side()
        remat = nn.remat(module, static_argnums=(2,)) if self.remat else module  # 2: train
        alone = LEADING[: min(stage.block.leading_blocks, stage.repeats)]
        for i, name in enumerate(alone):
            block = (value, stage.width, 1) if i else (stage.block, stage.width, stage.stride)
            rate = None if drop_rates is None else drop_rates[i]
            x = remat(*block, settings, name=name)(x, train, rate, fold(keys_b, start + i))
            settings = settings if i else settings.after(stage.stride)
        done, rest = len(alone), stage.repeats - len(alone)
        if rest == 0:
            return x
        block = module(value, stage.width, 1, settings, parent=None)
        blocks = Repeated(block, rest, self._scanned(rest), self.remat, name="rest")
        rates = None if drop_rates is None else jnp.asarray(drop_rates[done:])
        return blocks(x, train, rates, start + done + jnp.arange(rest), keys_b)

    def _scanned(self, rest: int) -> bool:
        if self.scan is not None:
            return self.scan
        if self.settings.choice is not None:
            return rest > 1  # of few operations most of the program never runs: a loop costs it nothing
        # XLA:CPU merges a written-out block with its recomputation, which then saves nothing.
        return rest >= (2 if self.remat else self.settings.operators.scan_least)


def advance(module: StageModule, images, outputs: tuple[Any, ...], *args: Any) -> tuple[Any, ...]:
    """Run a stage after the last outputs, at most two and the older first; return the last ones then."""
    x = outputs[-1] if outputs else images
    if module.stage.block.reads_two:
        return module((outputs[0] if len(outputs) == 2 else None, x), *args)
    return *outputs[-1:], module(x, *args)


class Network(nn.Module):
    """The network of an `Arch`: (n, h, w, c) images -> (n, num_classes) float32 logits.

    With a head of `scaling.arch.map_heads` it returns {"out": (n, h, w, num_classes)}, with one of
    `scaling.arch.box_heads` or `scaling.arch.region_heads` what that file says; heads that take something
    beside the images take it as further arguments by name (`scaling.models.heads.answer`).

    `dtype` is that of the computation (parameters, statistics and logits stay float32); `scan` runs
    repeated blocks as a loop (None: where the backend gains by it); `remat` recomputes the
    blocks of all stages, or of those named by index, in the backward pass; `axis_name` syncs
    batch-norm statistics over that mapped axis; `operators` names a backend's operators (None: the one in
    use; "lax": plain convolutions); stages named in `frozen` ("stem": all of the stem) run in evaluation
    mode: nothing is dropped, and their batch norm uses and keeps its running statistics.

    In training pass `keys_b`, one key an example, or an rng named "dropout" from which they are
    split; they are needed only if the architecture drops anything. Auxiliary classifiers run in training
    only; with "auxiliary" among the mutable collections they leave their logits there. Where edges of cells
    have several operations, collection "choice" says which: {"cell_0": int32[edges]}, one for each
    different cell, and {"reduction_0": ...} where it has a stride (`choosing`). With collection "drop_path",
    {"share": a number}, that share of the drop-path rates holds. The gradient of collection
    "codes", {"alike": zeros[n, n]}, is which examples activate it alike (`scaling.models.activation_kernel`).
    """

    arch: Arch
    dtype: Any = jnp.float32
    scan: bool | None = None
    remat: Recomputed = False
    axis_name: str | None = None
    operators: str | None = None
    frozen: tuple[str, ...] = ()

    @nn.compact
    def __call__(self, images_nhwc, train: bool = False, keys_b=None, **told: Any):
        keys_b, rates = self._randomness(images_nhwc.shape[0], train, keys_b)
        maps, settings = self.maps(images_nhwc, train, keys_b, rates), self._settings()
        keys_b = fold(keys_b, self.arch.depth)
        if isinstance(self.arch.head, Head):
            return classify(self.arch, collections.deque(maps, maxlen=1).pop(), train, settings, keys_b)
        wanted = self.arch.head.places(tuple(grid.stride for grid in self.arch.feature_grids))
        read = [x for i, x in enumerate(maps) if i in wanted]
        return answer(self.arch, read, images_nhwc.shape, train, settings, keys_b, **told)

    def maps(self, images_nhwc, train: bool, keys_b, rates) -> Iterator[Any]:
        """Yield the feature map after each stage, in the order of `arch.stage_names`.

        To be called within a compact method; `keys_b` and `rates` are those of `_randomness`.
        """
        arch, settings, start = self.arch, self._settings(), 0
        recomputed, frozen = recomputed_stages(self.remat, len(arch.stages)), frozen_stages(self.frozen, arch)
        images = images_nhwc.astype(self.dtype)
        outputs: tuple[Any, ...] = ()
        choices = self._choices()
        stages = zip(arch.stage_names, arch.stem + arch.stages, arch.feature_grids)
        for i, (name, stage, grid) in enumerate(stages, start=-len(arch.stem)):
            trains = train and name not in frozen
            shared = dataclasses.replace(settings.at(grid), choice=choices.get(kind_of(stage)))
            module = StageModule(stage, shared, self.scan, i in recomputed, name=name)
            if i < 0 or not trains:
                outputs = advance(module, images, outputs, trains)
            else:
                share = None if rates is None else rates[start : start + stage.repeats]
                outputs = advance(module, images, outputs, trains, share, start, keys_b)
            start += stage.repeats if i >= 0 else 0
            self._auxiliary(i, outputs[-1], trains, keys_b)
            yield outputs[-1]

    def _auxiliary(self, stage: int, x: Any, train: bool, keys_b) -> None:
        """Run the classifiers that read this stage; in initialisation too, to have their parameters."""
        for i, value in enumerate(self.arch.auxiliary):
            if value.after == stage and (train or self.is_initializing()):
                module = AuxiliaryModule(
                    value, self.arch.num_classes, self._settings(), name=f"auxiliary_{i}"
                )
                module(x, train, fold(keys_b, self.arch.depth + 1 + i))

    def _choices(self) -> dict[Any, Any]:
        """What the edges of each cell do, where they have several operations: inputs of the program."""
        zeros = lambda cell: jnp.zeros(len(cell.edges), jnp.int32)
        names = choosing(self.arch).items()
        return {kind: self.variable("choice", name, zeros, kind[0]).value for kind, name in names}

    def _settings(self) -> Settings:
        settings = Settings.of(self.arch, self.dtype, self.axis_name, operators_of(self.operators))
        return dataclasses.replace(settings, codes=self.get_variable("codes", "alike"))

    def _randomness(self, batch: int, train: bool, keys_b) -> tuple[Any, Any]:
        """The examples' keys and each block's drop-path rate, linear in depth; None where unused."""
        arch, seen = self.arch, self.is_mutable_collection(AUXILIARY)
        early = seen and any(value.drop_rate for value in arch.auxiliary)
        drops = arch.drop_rate or arch.drop_path_rate or getattr(arch.head, "drop_rate", 0.0) or early
        if not train or not drops or self.is_initializing():
            return None, None
        if keys_b is None:
            keys_b = jax.random.split(self.make_rng("dropout"), batch)
        if not arch.drop_path_rate:
            return keys_b, None
        rates = np.float32(arch.drop_path_rate * np.arange(arch.depth) / arch.depth)
        share = self.get_variable(DROP_PATH, "share")
        return keys_b, rates if share is None else rates * share


def choosing(arch: Arch) -> dict[Any, str]:
    """Return the kinds of cells of a supernet whose edges choose (`kind_of`), and their names in "choice".

    The same cell with and without a stride makes two choices: "reduction_0" and "cell_0".
    """
    stages = [s for s in arch.stem + arch.stages if isinstance(s.block, Cell) and s.block.chooses]
    numbers = {cell: i for i, cell in enumerate(dict.fromkeys(s.block for s in stages))}
    kinds = dict.fromkeys(map(kind_of, stages))
    return {(cell, strided): f"{NAMES[strided]}_{numbers[cell]}" for cell, strided in kinds}


def kind_of(stage: Stage) -> tuple[Any, bool]:
    """Return a stage's block, and whether it has a stride."""
    return stage.block, stage.stride > 1


def recomputed_stages(remat: Recomputed, count: int) -> tuple[int, ...]:
    """Return the indices of the stages to recompute; ValueError for one that a network does not have."""
    if isinstance(remat, bool):
        return tuple(range(count)) if remat else ()
    if wrong := [i for i in remat if not 0 <= i < count]:
        raise ValueError(
            f"remat={remat} names stage {wrong[0]}: name some of 0 to {count - 1}, or True for all."
        )
    return remat


def frozen_stages(frozen: tuple[str, ...], arch: Sized) -> frozenset[str]:
    """Return the names of the stages to freeze; ValueError for one that a network does not have."""
    stem = tuple(name for name in arch.stage_names if name.startswith("stem"))
    known = {**({"stem": stem} if stem else {}), **{name: (name,) for name in arch.stage_names}}
    if wrong := [name for name in frozen if name not in known]:
        raise ValueError(
            f"frozen={frozen} names {wrong[0]!r}, which {arch.name} does not have: choose from {', '.join(known) or 'none'}."
        )
    return frozenset(name for part in frozen for name in known[part])


class Applied(Protocol):
    """What has variables and is applied to images, as a Linen module is."""

    def init(self, rngs: Any, *args: Any, **kwargs: Any) -> Any: ...

    def apply(self, variables: Any, *args: Any, **kwargs: Any) -> Any: ...


Buildable = Network | CustomNetwork


def build(arch: Sized, **options: Any) -> Any:
    """Return the network of an architecture, a `Network` or `CustomNetwork`; options are `Network`'s fields.

    Both are initialised and applied alike:
    `apply(variables, images_nhwc, train=..., keys_b=..., mutable=...)`.
    """
    return CustomNetwork.of(arch, **options) if isinstance(arch, Custom) else Network(arch, **options)
