"""Optional C++ kernels for CPUs, called by compiled programs through XLA's foreign functions.

They are built once with the machine's own compiler (`scaling.models.native.ready`). Where they are not
built, the same operators run as plain JAX. They compute in float32 and run on XLA's own threads; sums
are cut into parts that do not depend on the number of threads.
"""

from __future__ import annotations

import ctypes
import functools
import os
import warnings
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from scaling.models.native.build import library
from scaling.models.phases import Padding

TARGETS = (
    "dense_forward",
    "dense_input_gradient",
    "dense_kernel_gradient",
    "depthwise_forward",
    "depthwise_input_gradient",
    "depthwise_kernel_gradient",
    "norm_moments",
    "norm_apply",
    "norm_gradient_moments",
    "norm_apply_gradient",
)
SWITCH = "JAX_COMPOUND_NATIVE"  # 0 in the environment: plain JAX, nothing built, nothing said
ACTIVATIONS = ("identity", "relu", "relu6", "silu", "hard_swish")  # numbered as in norm.cc


@dataclass(frozen=True)
class Window:
    """How a convolution's filters move over rows and columns."""

    stride: tuple[int, int]
    padding: Padding
    dilation: int = 1
    groups: int = 1

    def out(self, shape, sides) -> tuple[int, int]:
        """Rows and columns of the output, for images of `shape` (n, h, w, c) and filters of `sides`."""
        rows, columns = (
            (size + sum(pad) - (side - 1) * self.dilation - 1) // stride + 1
            for size, pad, side, stride in zip(shape[1:3], self.padding, sides, self.stride)
        )
        return max(rows, 0), max(columns, 0)

    def attributes(self) -> dict[str, Any]:
        """The same as the kernels read it."""
        pairs = {
            "stride": self.stride,
            "dilation": (self.dilation,) * 2,
            "low": tuple(low for low, _ in self.padding),
        }
        arrays: dict[str, Any] = {name: np.asarray(pair, np.int64) for name, pair in pairs.items()}
        return {**arrays, "groups": np.int64(self.groups)}


@functools.cache
def available() -> bool:
    """Whether the kernels of this source, JAX and processor are built and wanted; loads them if so."""
    if is_off():
        return False
    try:
        path = library()
    except (OSError, RuntimeError):  # no safe place, so nothing was built there
        return False
    if not path.is_file():
        return False
    try:
        loaded = ctypes.CDLL(str(path))
        for name in TARGETS:
            jax.ffi.register_ffi_target(name, jax.ffi.pycapsule(getattr(loaded, name)), platform="cpu")
    except (OSError, AttributeError) as error:
        warnings.warn(f"{path} cannot be loaded ({error}): plain JAX is used. Build it again.", stacklevel=2)
        return False
    return True


def is_off() -> bool:
    """Whether the user wants plain JAX on CPUs, too."""
    return os.environ.get(SWITCH) == "0"


def named() -> str:
    """Name what CPU programs are made of, as rows record it."""
    return library().stem if available() else "plain JAX"


def dense(x_nhwc, kernel_hwio, window: Window, out: tuple[int, int]):
    """Convolve groups of channels apart: (n, h, w, c), (kh, kw, c / groups, f) -> (n, *out, f)."""
    shape = (x_nhwc.shape[0], *out, kernel_hwio.shape[3])
    return _call("dense_forward", shape, x_nhwc, kernel_hwio, **window.attributes())


def dense_input_gradient(grad_nhwf, kernel_hwio, window: Window, shape):
    """Return the gradient with respect to the images, of `shape`."""
    return _call("dense_input_gradient", shape, grad_nhwf, kernel_hwio, **window.attributes())


def dense_kernel_gradient(x_nhwc, grad_nhwf, window: Window, shape):
    """Return the gradient with respect to the kernel, of `shape`."""
    return _call("dense_kernel_gradient", shape, x_nhwc, grad_nhwf, **window.attributes())


def depthwise(x_nhwc, kernel_hw1c, stride: int, padding: Padding, dilation: int, out: tuple[int, int]):
    """Convolve each channel with its own filter: (n, h, w, c), (kh, kw, 1, c) -> (n, *out, c)."""
    shape = (x_nhwc.shape[0], *out, x_nhwc.shape[3])
    return _call("depthwise_forward", shape, x_nhwc, kernel_hw1c, **_geometry(stride, padding, dilation))


def depthwise_input_gradient(grad_nhwc, kernel_hw1c, stride: int, padding: Padding, dilation: int, shape):
    """Return the gradient with respect to the images, of `shape`."""
    geometry = _geometry(stride, padding, dilation)
    return _call("depthwise_input_gradient", shape, grad_nhwc, kernel_hw1c, **geometry)


def depthwise_kernel_gradient(x_nhwc, grad_nhwc, stride: int, padding: Padding, dilation: int, shape):
    """Return the gradient with respect to the filters, of `shape`."""
    geometry = _geometry(stride, padding, dilation)
    return _call("depthwise_kernel_gradient", shape, x_nhwc, grad_nhwc, **geometry)


def moments(x_nhwc):
    """Return the sums a channel of x and of x * x, (2, c)."""
    return _call("norm_moments", (2, x_nhwc.shape[-1]), x_nhwc)


def apply(x_nhwc, factor_c, shift_c, activation: str):
    """Return activation(x * factor + shift)."""
    number = np.int64(ACTIVATIONS.index(activation))
    return _call("norm_apply", x_nhwc.shape, x_nhwc, factor_c, shift_c, activation=number)


def gradient_moments(x_nhwc, grad_nhwc, factor_c, shift_c, activation: str):
    """With g the gradient before the activation: return the sums a channel of g and of g * x, (2, c)."""
    number = np.int64(ACTIVATIONS.index(activation))
    shape = (2, x_nhwc.shape[-1])
    return _call("norm_gradient_moments", shape, x_nhwc, grad_nhwc, factor_c, shift_c, activation=number)


def apply_gradient(x_nhwc, grad_nhwc, factor_c, shift_c, slope_c, offset_c, activation: str):
    """With g as above: return g * factor + x * slope + offset."""
    number = np.int64(ACTIVATIONS.index(activation))
    return _call(
        "norm_apply_gradient",
        x_nhwc.shape,
        *(x_nhwc, grad_nhwc, factor_c, shift_c, slope_c, offset_c),
        activation=number,
    )


def _geometry(stride: int, padding: Padding, dilation: int) -> dict[str, Any]:
    (top, _), (left, _) = padding
    numbers = {"stride": stride, "dilation": dilation, "top": top, "left": left}
    return {name: np.int64(number) for name, number in numbers.items()}


def _call(name: str, shape: tuple[int, ...], *arrays: Any, **attributes: Any) -> Any:
    result = jax.ShapeDtypeStruct(shape, jnp.float32)
    return jax.ffi.ffi_call(name, result, vmap_method="sequential")(*arrays, **attributes)
