"""Trained networks as programs for others: StableHLO (`jax.export`) and ONNX, with their weights inside.

Both take float32 (n, side, side, channels), any n, prepared as the preprocessing record says, and give what
the network gives: logits (n, classes), or several arrays by name, in the order of their names. What is needed
beside the program stands in `description`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import export

from scaling.border.files import write_atomically
from scaling.models.network import build
from scaling.weights.files import Weights

PLATFORMS = ("cpu", "cuda", "tpu")
TOLERANCE = 1e-4  # of the outputs' spread, within which a written program must agree with the network
EXAMPLES = 3  # images on which it is tried


def description(weights: Weights) -> dict[str, Any]:
    """What a user of the program must know, JSON-able."""
    arch, record = weights.arch, weights.preprocessing
    return {
        "network": arch.name,
        "input": ["n", *arch.input_shape],
        "outputs": _outputs(weights),
        "preprocessing": None if record is None else record.to_dict(),
        "classes": list(weights.classes),
    }


def _outputs(weights: Weights) -> Any:
    """The shape of what a network gives, by name where it gives several arrays."""
    image = jax.ShapeDtypeStruct((1, *weights.arch.input_shape), jnp.float32)
    shapes = jax.eval_shape(_function(weights), image)
    return jax.tree.map(lambda x: ["n", *x.shape[1:]], shapes)


def to_stablehlo(weights: Weights, path: Path) -> float:
    """Write the program of `jax.export` for all platforms; return how far it is from the network."""
    side, channels = weights.arch.resolution, weights.arch.in_channels
    (n,) = export.symbolic_shape("n")
    image = jax.ShapeDtypeStruct((n, side, side, channels), jnp.float32)
    program = export.export(jax.jit(_function(weights)), platforms=PLATFORMS)(image)
    write_atomically(path, bytes(program.serialize()))
    write_atomically(
        path.with_suffix(f"{path.suffix}.json"), json.dumps(description(weights), indent=2) + "\n"
    )
    return _distance(weights, export.deserialize(bytearray(path.read_bytes())).call, path)


def to_onnx(weights: Weights, path: Path) -> float:
    """Write an ONNX file by jax2onnx; return how far onnxruntime is from the network.

    ImportError without the packages of the extra "export".
    """
    import jax2onnx  # pyright: ignore[reportMissingImports]
    import onnx  # pyright: ignore[reportMissingImports]
    import onnxruntime  # pyright: ignore[reportMissingImports]

    side, channels = weights.arch.resolution, weights.arch.in_channels
    model: Any = jax2onnx.to_onnx(
        _function(weights), [("n", side, side, channels)], model_name=weights.arch.name
    )
    for key, value in description(weights).items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, json.dumps(value)
    write_atomically(path, model.SerializeToString())
    onnx.checker.check_model(str(path))
    session = onnxruntime.InferenceSession(str(path))
    (given,) = session.get_inputs()
    return _distance(weights, lambda x_nhwc: session.run(None, {given.name: x_nhwc}), path)


def _function(weights: Weights) -> Callable[[Any], Any]:
    """The network as plain operators, its variables constants of the program."""
    net, variables = build(weights.arch, operators="lax"), weights.variables
    return lambda x_nhwc: net.apply(variables, x_nhwc, train=False)


def _distance(weights: Weights, call: Callable[[Any], Any], path: Path) -> float:
    """The largest difference over the spread of outputs; ValueError, and no file, beyond `TOLERANCE`."""
    arch = weights.arch
    shape = (EXAMPLES, *arch.input_shape)
    x_nhwc = np.random.default_rng(0).standard_normal(shape, np.float32)
    pairs = zip(jax.tree.leaves(_function(weights)(x_nhwc)), jax.tree.leaves(call(x_nhwc)), strict=True)
    arrays = [(np.asarray(ours), np.asarray(theirs)) for ours, theirs in pairs]
    each = [np.abs(ours - theirs).max() / max(ours.std(), 1e-30) for ours, theirs in arrays]
    found = float(np.max(each))  # not a number where one is none
    if not found < TOLERANCE:
        path.unlink()
        raise ValueError(
            f"{path} was written, but what it computes differs by {found:.2g} of the outputs' spread from the network, "
            f"more than {TOLERANCE:g}: it is deleted."
        )
    return found


FORMATS: dict[str, Callable[[Weights, Path], float]] = {".stablehlo": to_stablehlo, ".onnx": to_onnx}
