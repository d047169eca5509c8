"""Score networks without training: parameters, multiply-adds, and what one batch of real images tells.

Sources: grad_norm, snip, synflow and jacob_cov as in arXiv 2101.08134, naswot arXiv 2006.04647 (version 3).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from scaling.arch.arch import Arch
from scaling.cost.counting import count
from scaling.data.augment import eval_transform
from scaling.data.loader import feed
from scaling.models.initialize import initialize
from scaling.models.initializers import torch_law
from scaling.models.network import Network
from scaling.models.synflow import kernels, log_synflow
from scaling.runs.failures import is_out_of_memory
from scaling.runs.rows import FAILED, NAN, OK, OOM
from scaling.runs.spec import RunSpec
from scaling.tasks.losses import cross_entropy
from scaling.training.plan import read_data
from scaling.zoo import nasbench201
from search.core.evaluation import Evaluation
from search.core.space import Space
from search.evaluators.supernet import any_arch, arch_of, run_of

SCORES = ("params", "macs", "grad_norm", "snip", "synflow", "jacob_cov", "naswot")
BATCH = 32  # that of NASLib's published scores; arXiv 2101.08134 has 64
JACOBIAN_EPSILON = 1e-5
LEAST_EIGENVALUE = 1e-3  # of a kernel of counts: examples that no activation tells apart


class ZeroCost:
    """Evaluates points by the seven `SCORES`; in all of them more is better, but params and macs are costs.

    `spec` says the data, and what is done to each network before (resolution, depth, width): everything of
    a run but its training. All networks see the first `batch` training images, not augmented, and start
    from PyTorch's law by `spec.seed`: a kernel depends on its place in the network alone. With `universal`
    the networks of NAS-Bench-201 share one compiled program.
    """

    stateful = False

    def __init__(self, space: Space, spec: RunSpec, batch: int = BATCH, universal: bool = True):
        self._space, self._spec, self._universal = space, spec, universal
        self._data = read_data(run_of(any_arch(space), spec))
        self._images = self._first_images(batch)

    def __call__(self, points: Sequence[np.ndarray], rungs: Sequence[int] = ()) -> Iterator[Evaluation]:
        """Yield the scores of each point; status "nan" where one is not finite."""
        for point in points:
            start = time.perf_counter()
            try:
                scores = self.scores(self._space.decode(point))
                status = OK if np.isfinite(list(scores.values())).all() else NAN
                found: dict[str, Any] = {"metrics": scores, "status": status}
            except (jax.errors.JaxRuntimeError, MemoryError, ValueError) as error:
                found = {"status": OOM if is_out_of_memory(error) else FAILED, "message": str(error)}
            cost = time.perf_counter() - start
            yield Evaluation(**found, fidelity=self.fidelity, seed=self._spec.seed, cost=cost)

    @property
    def fidelity(self) -> str:
        return f"untrained, {len(self._images['label'])} images of {self._data.name}"

    def save(self, seen: int) -> None:
        """Nothing is kept: a score depends on nothing that was asked before."""

    def restore(self, seen: int) -> None:
        """Nothing was kept."""

    def scores(self, arch: Arch) -> dict[str, float]:
        """The scores of an architecture, made to fit the data as `spec.model` says."""
        arch = arch_of(arch, self._spec, self._data).replace(drop_rate=0.0, drop_path_rate=0.0)
        cost, shared = count(arch), nasbench201.universal(arch) if self._universal else None
        built, choice = (arch, {}) if shared is None else shared
        program = _program if shared is None else _shared_program
        variables, run = program(built, self._spec.seed)
        told = {name: np.array(value, np.int32) for name, value in choice.items()}
        variables = {**variables, "choice": told} if told else variables
        images = eval_transform(self._spec.augment, arch.resolution, self._data.mean, self._data.std)(
            self._images["image"]
        )
        found = jax.device_get(run(variables, images, self._images["label"]))
        return {
            "params": cost.params,
            "macs": cost.macs,
            **{name: float(found[name]) for name in ("grad_norm", "snip", "synflow")},
            "jacob_cov": jacobian_score(found["jacobian"]),
            "naswot": kernel_score(found["alike"]),
        }

    def _first_images(self, batch: int) -> dict[str, jax.Array]:
        train = self._data.train
        rows = feed(train, batch, self._spec.seed, None, 0).order.step(0)["index"]
        return {"image": jnp.stack([train[i] for i in rows]), "label": jnp.asarray(train.labels[rows])}


def _prepare(arch: Arch, seed: int) -> tuple[dict[str, Any], Any]:
    """Return a network's first variables on the device, and its program (variables, x, labels) -> scores."""
    net = Network(arch)
    variables = jax.device_put(initialize(net, seed, torch_law))
    return variables, jax.jit(lambda *given: measure(net, *given))


_program = lru_cache(maxsize=1)(_prepare)
_shared_program = lru_cache(maxsize=4)(_prepare)


def measure(net: Network, variables: Mapping[str, Any], x_nhwc: Any, labels_n: Any) -> dict[str, Any]:
    """Return grad_norm, snip, synflow, jacobian [n, h * w * c] and alike [n, n] of a batch in training mode.

    Sums over layers of kernels' gradient norms and of |weight * gradient| of the loss; the gradient by the
    images of the summed logits; how many activations two examples share.
    """
    rest = {name: tree for name, tree in variables.items() if name != "params"}
    count_nn = jnp.zeros((len(labels_n), len(labels_n)))

    def forward(params, x_nhwc, alike_nn):
        collections = {**rest, "params": params, "codes": {"alike": alike_nn}}
        return net.apply(collections, x_nhwc, train=True, mutable=["batch_stats"])[0]

    def loss(logits_nk):
        return jnp.mean(cross_entropy(logits_nk, jax.nn.one_hot(labels_n, logits_nk.shape[-1])))

    logits_nk, pull = jax.vjp(forward, variables["params"], x_nhwc, count_nn)
    gradients = pull(jax.grad(loss)(logits_nk))[0]
    _, jacobian, alike_nn = pull(jnp.ones_like(logits_nk))
    pairs = list(zip(kernels(variables["params"]), kernels(gradients)))
    return {
        "grad_norm": sum(jnp.linalg.norm(g) for _, g in pairs),
        "snip": sum(jnp.sum(jnp.abs(w * g)) for w, g in pairs),
        "synflow": log_synflow(net, variables),
        "jacobian": jacobian.reshape(len(labels_n), -1),
        "alike": alike_nn,
    }


def jacobian_score(jacobian_nd: np.ndarray) -> float:
    """How little the examples' gradients correlate: minus the sum of log v + 1 / v over the eigenvalues v.

    Examples without any gradient count as alike. Source: arXiv 2006.04647 version 1.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        correlations_nn = np.nan_to_num(np.corrcoef(jacobian_nd.astype(np.float64)), nan=1.0)
    values = np.maximum(np.linalg.eigvalsh(correlations_nn), 0.0) + JACOBIAN_EPSILON
    return -float(np.sum(np.log(values) + 1.0 / values))


def kernel_score(alike_nn: np.ndarray) -> float:
    """The logarithm of the determinant of the kernel of shared activations.

    Eigenvalues count as `LEAST_EIGENVALUE` at least: a network that sees no image has a score, a low one.
    """
    values = np.linalg.eigvalsh(alike_nn.astype(np.float64))
    return float(np.sum(np.log(np.maximum(values, LEAST_EIGENVALUE))))
