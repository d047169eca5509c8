"""Update rules from optax, with weight decay masked by name and trust ratios that see layers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from scaling.runs.spec import OptimizerSpec
from scaling.training.packing import DECAYED, Packed, at_paths, like, tree_of
from scaling.training.schedules import Schedule

# A collection under this key holds equal layers stacked on a leading axis.
STACKED = "blocks"


def build(spec: OptimizerSpec, rate: Schedule) -> optax.GradientTransformation:
    """Return clip -> coupled decay -> update rule -> decoupled decay, at the learning rate `rate`."""
    clip = [] if spec.clip_norm is None else [optax.clip_by_global_norm(spec.clip_norm)]
    coupled = _decay(spec) if spec.decay == "coupled" else []
    decoupled = _decay_by_rate(spec, rate) if spec.decay == "decoupled" and spec.name != "lamb" else []
    held = [keep_zeros()] if spec.keep_zeros else []
    return optax.chain(*clip, *coupled, RULES[spec.name](spec, rate), *decoupled, *held)


def holding(rule: optax.GradientTransformation, held: Callable[[str], bool]) -> optax.GradientTransformation:
    """Return the same rule with the same state, by which parameters at paths that are `held` do not move."""

    def update(updates, state, params=None):
        moved, state = rule.update(updates, state, params)
        return like(moved, at_paths(jnp.zeros_like, tree_of(moved), held)), state

    return optax.GradientTransformation(rule.init, update)


def _sgd(spec: OptimizerSpec, rate: Schedule) -> optax.GradientTransformation:
    trace = [optax.trace(spec.momentum, spec.nesterov)] if spec.momentum else []
    return optax.chain(*trace, optax.scale_by_learning_rate(rate))


def _rmsprop(spec: OptimizerSpec, rate: Schedule) -> optax.GradientTransformation:
    """TensorFlow-1's: mean square from 1, epsilon within the root, momentum over the scaled step."""
    return optax.rmsprop(
        rate,
        decay=spec.rms_decay,
        eps=spec.eps,
        initial_scale=1.0,
        eps_in_sqrt=True,
        momentum=spec.momentum or None,
        nesterov=spec.nesterov,
    )


def _adamw(spec: OptimizerSpec, rate: Schedule) -> optax.GradientTransformation:
    """Adam; decoupled decay stands apart (`build`), since the other rules may have it too."""
    return optax.adam(rate, spec.b1, spec.b2, spec.eps, nesterov=spec.nesterov)


def _lamb(spec: OptimizerSpec, rate: Schedule) -> optax.GradientTransformation:
    """LAMB (arXiv 1904.00962); its decoupled decay stands before the trust ratio."""
    return optax.chain(
        optax.scale_by_adam(spec.b1, spec.b2, spec.eps),
        *(_decay(spec) if spec.decay == "decoupled" else []),
        scale_by_layer_trust_ratio(),
        optax.scale_by_learning_rate(rate),
    )


def _lars(spec: OptimizerSpec, rate: Schedule) -> optax.GradientTransformation:
    """LARS (arXiv 1708.03888): momentum over steps that are scaled by the trust ratio of what decays."""
    return optax.chain(
        scale_by_layer_trust_ratio(spec.trust, MASKS[spec.decay_mask]),
        optax.scale_by_learning_rate(rate),
        optax.trace(spec.momentum, spec.nesterov),
    )


def _adagrad(spec: OptimizerSpec, rate: Schedule) -> optax.GradientTransformation:
    """AdaGrad (Duchi et al., JMLR 12, 2011): steps divided by the root of the sum of all squares so far."""
    return optax.adagrad(rate, initial_accumulator_value=0.0, eps=spec.eps)


RULES = {
    "sgd": _sgd,
    "rmsprop": _rmsprop,
    "adamw": _adamw,
    "lamb": _lamb,
    "lars": _lars,
    "adagrad": _adagrad,
}


def scale_by_layer_trust_ratio(
    coefficient: float = 1.0, adapted: Callable[[list[str]], bool] = lambda names: True
) -> optax.GradientTransformation:
    """Scale each layer's update by `coefficient` * |param| / |update|, taking stacked layers one by one.

    The factor is 1 where either norm is 0, and for leaves whose names are not `adapted`.
    """

    def scaled(path, update, param):
        if not adapted(_names(path)):
            return update
        stacked = sum(name == STACKED for name in _names(path))
        axes = tuple(range(stacked, param.ndim))
        param_norm, update_norm = _norm(param, axes), _norm(update, axes)
        ok = (param_norm > 0) & (update_norm > 0)
        return update * jnp.where(ok, coefficient * param_norm / jnp.where(ok, update_norm, 1.0), 1.0)

    def transform(updates, state, params=None):
        return like(
            updates, jax.tree_util.tree_map_with_path(scaled, tree_of(updates), tree_of(params))
        ), state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), transform)


def keep_zeros() -> optax.GradientTransformation:
    """Update nothing that is exactly 0: what was pruned stays so, without a mask beside the weights."""

    def transform(updates, state, params=None):
        return jax.tree.map(lambda u, p: jnp.where(p == 0, 0, u), updates, params), state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), transform)


def _norm(x, axes):
    return jnp.sqrt(jnp.sum(jnp.square(x), axis=axes, keepdims=True))


def _decay(spec: OptimizerSpec) -> list[optax.GradientTransformation]:
    return (
        [optax.add_decayed_weights(spec.weight_decay, decay_mask(spec.decay_mask))]
        if spec.weight_decay
        else []
    )


class DecayByRateState(NamedTuple):
    count: Any


def _decay_by_rate(spec: OptimizerSpec, rate: Schedule) -> list[optax.GradientTransformation]:
    """Subtract `rate * weight_decay * param` from the finished update. Source: arXiv 1711.05101."""
    if not spec.weight_decay:
        return []
    mask = decay_mask(spec.decay_mask)

    def transform(updates, state, params=None):
        shrink = rate(state.count) * spec.weight_decay
        decayed = jax.tree.map(lambda u, p, m: u - shrink * p if m else u, updates, params, mask(params))
        return decayed, DecayByRateState(state.count + 1)

    return [
        optax.GradientTransformation(lambda params: DecayByRateState(jnp.zeros([], jnp.int32)), transform)
    ]


def schedule_counts_of(told: Any, state: Any) -> Any:
    """An optimizer's `state`, but where the schedules stand as in `told`: a rate belongs to its step."""
    counts = (optax.ScaleByScheduleState, DecayByRateState)
    is_count = lambda node: isinstance(node, counts)
    return jax.tree.map(lambda new, old: new if is_count(new) else old, told, state, is_leaf=is_count)


def decay_mask(name: str) -> Callable[[Any], Any]:
    """Return params -> tree of bools: what is decayed, by the names of the leaves and modules.

    Never by rank: a batch-norm scale of stacked blocks is a matrix too.
    """
    decayed = MASKS[name]

    def mask(params):
        if isinstance(params, Packed):
            return dataclasses.replace(params, vectors={group: group == DECAYED for group in params.vectors})
        return jax.tree_util.tree_map_with_path(lambda path, _: decayed(_names(path)), params)

    return mask


MASKS: dict[str, Callable[[list[str]], bool]] = {
    "kernels": lambda names: names[-1] == "kernel",
    "no_norm": lambda names: not any("norm" in name.lower() for name in names[:-1]),  # Flax says BatchNorm_0
    "all": lambda names: True,
}


def _names(path) -> list[str]:
    return [entry.key for entry in path]
