"""Losses of detectors in two stages, which learn together (arXiv 1506.01497 section 3.2, approximate joint
training) or in turns: the first stage's boxes are inputs of the second, through which no gradient goes.

Each stage learns from a sample of fixed size of an image's anchors or boxes, at most a share of it positive.
Its losses are means over that sample; the loss of an image is their sum. In training the second stage's boxes
are drawn from the proposals and the true boxes; in evaluation all proposals count.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Collection, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from scaling.models.boxes import area, decode, iou_matrix
from scaling.models.region_heads import proposals
from scaling.models.unique import NOT_COMPARED
from scaling.runs.spec import TrainSpec
from scaling.tasks.box_losses import off_by
from scaling.tasks.detections import Detections, best_of
from scaling.tasks.matching import BACKGROUND, IGNORED, LOW_QUALITY, Matcher
from scaling.tasks.task import ASKED, LEARNS, UNUSED, Turn

# torchvision's: how anchors and proposals are matched, anchors of a sample, the share of positives of each
ANCHOR, PROPOSAL = Matcher(0.3, 0.7, LOW_QUALITY), Matcher(0.5, 0.5)
ANCHORS = 256
ANCHOR_SHARE, PROPOSAL_SHARE = 0.5, 0.25
BETA = 1 / 9  # where smooth L1 becomes linear, in the units of both stages' offsets
BOTH = FIRST, SECOND = "first", "second"


def sampled(found: Mapping[str, Any], inputs: Mapping[str, Any], spec: TrainSpec, arch: Any) -> Any:
    """Return the boxes (n, spec.regions, 4) that the second stage learns from, given the first's outputs."""
    height, width = inputs["image"].shape[1:3]

    def of_image(boxes_r4, truth_m4, label_m, key):
        known_m4 = jnp.where(label_m[:, None] >= 0, truth_m4, 0.0)
        boxes_b4 = jnp.concatenate([known_m4, boxes_r4])
        index_b = matched(boxes_b4, truth_m4, label_m)
        chosen_s, real_s = sample(key, index_b, spec.regions, PROPOSAL_SHARE)
        return jnp.where(real_s[:, None], boxes_b4[chosen_s], 0.0)

    own_nr4 = proposals(arch, found, height, width)
    return jax.vmap(of_image)(own_nr4, *truth_of(inputs), _keys(inputs, 2))


def positives_of(found: Mapping[str, Any], spec: TrainSpec) -> Any:
    """Return of the boxes that `sampled` gave those that may be positive, which it puts first."""
    return found["proposals"][:, : max(1, int(PROPOSAL_SHARE * spec.regions))]


def losses(
    outputs: Mapping[str, Any],
    inputs: Mapping[str, Any],
    spec: TrainSpec,
    arch: Any,
    stages: Collection[str] = BOTH,
) -> Any:
    """Return the losses of each image's classes and boxes, (n,) each, sums over `stages`."""
    head, (height, width) = arch.head, inputs["image"].shape[1:3]
    anchors_a4 = jnp.asarray(head.anchors(arch, height, width))

    def of_image(objectness_a1, deltas_a4, boxes_r4, logits_rk, deltas_rk, unique_rk, truth_m4, label_m, key):
        of_class, of_box = jnp.float32(0.0), jnp.float32(0.0)
        if FIRST in stages:
            of_class, of_box = _first_stage(
                objectness_a1[:, 0], deltas_a4, anchors_a4, truth_m4, label_m, key, spec
            )
        if SECOND in stages:
            told = boxes_r4, logits_rk, _by_class(deltas_rk, logits_rk)
            second = _second_stage(*told, truth_m4, label_m, head.box_weights, spec)
            of_class, of_box = of_class + second[0], of_box + second[1]
            if unique_rk is not None:
                of_class += _of_duplicates(*told, unique_rk, (truth_m4, label_m), head.box_weights)
        return of_class, of_box

    names = "objectness", "pred_bbox_deltas", "proposals", "class_logits", "box_regression"
    unique = outputs.get("unique_logits")
    told = [*(outputs[name] for name in names), unique, *truth_of(inputs), _keys(inputs, 1)]
    return jax.vmap(of_image)(*told)


def turns(loss: Callable[..., Any]) -> tuple[Turn, ...]:
    """Return the four turns of arXiv 1506.01497 section 3.2, of one network.

    Twice a stage learns with the backbone and the neck, then each alone, as they are shared from there on.
    The paper's second turn begins with a new backbone, whose boxes another network proposes; here it goes on
    with the first's. `loss` is a task's, which also takes `stages`.
    """
    of_first, of_second = (functools.partial(loss, stages=(stage,)) for stage in BOTH)
    return (
        Turn("proposals", of_first, lambda path: UNUSED if _of_second(path) else LEARNS),
        Turn("boxes", of_second, lambda path: ASKED if _of_first(path) else LEARNS),
        Turn("proposals alone", of_first, lambda path: _alone(path, LEARNS, UNUSED)),
        Turn("boxes alone", of_second, lambda path: _alone(path, ASKED, LEARNS)),
    )


def _of_first(path: str) -> bool:
    return path.startswith("decoder/rpn/")


def _of_second(path: str) -> bool:
    return path.startswith(("decoder/box/", "decoder/mask/", "decoder/attention_"))


def _alone(path: str, first: int, second: int) -> int:
    return first if _of_first(path) else second if _of_second(path) else ASKED


def detect(arch: Any, outputs: Mapping[str, Any], height: int, width: int, spec: TrainSpec) -> Detections:
    """Return what the outputs for images of `height` x `width` pixels say is there, after suppression.

    A network that tells duplicates by itself has none suppressed."""
    weights, unique = arch.head.box_weights, outputs.get("unique_logits")
    if unique is not None:
        spec = dataclasses.replace(spec, suppression="greedy", most_overlap=1.0)

    def of_image(boxes_r4, logits_rk, deltas_rk, unique_rk):
        deltas_rk4 = _by_class(deltas_rk, logits_rk)
        chance_rk = jax.nn.softmax(logits_rk)[:, 1:]
        if unique_rk is not None:
            chance_rk = chance_rk * jax.nn.sigmoid(unique_rk)
        known_rk = jnp.where(area(boxes_r4)[:, None] > 0, chance_rk, -jnp.inf)
        box_of = lambda index, kind: decode(deltas_rk4[index, kind + 1], boxes_r4[index], weights)
        return best_of(known_rk, box_of, height, width, spec)

    names = "proposals", "class_logits", "box_regression"
    told = [*(outputs[name] for name in names), unique]
    return jax.vmap(of_image)(*told)


def matched(boxes_r4, truth_m4, label_m):
    """The true box of each, BACKGROUND, or IGNORED for one of no area, which stands for none."""
    index_r = PROPOSAL(iou_matrix(truth_m4, boxes_r4), label_m >= 0)
    return jnp.where(area(boxes_r4) > 0, index_r, IGNORED)


def truth_of(inputs):
    """True boxes in pixels and their labels."""
    height, width = inputs["image"].shape[1:3]
    return inputs["boxes"] * jnp.asarray([width, height, width, height], jnp.float32), inputs["label"]


def sample(key, index_a, count: int, share: float) -> tuple[Any, Any]:
    """Draw `count` places of `index_a`, boxes' indices, BACKGROUND or IGNORED: (places, which are real).

    At most `share` of them, and at least one, have a box; background fills the rest, as far as there is any.
    """
    count = min(count, len(index_a))
    drawn_a = jax.random.uniform(key, index_a.shape)
    positive_a = jnp.where(index_a >= 0, drawn_a, -1.0)
    least = jax.lax.top_k(positive_a, max(1, int(share * count)))[0][-1]
    kept_a = (index_a >= 0) & (drawn_a >= least)
    rank_a = jnp.where(kept_a, 2 + drawn_a, jnp.where(index_a == BACKGROUND, 1 + drawn_a, 0.0))
    rank_s, place_s = jax.lax.top_k(rank_a, count)
    return place_s, rank_s > 0


def _first_stage(scores_a, deltas_a4, anchors_a4, truth_m4, label_m, key, spec):
    index_a = ANCHOR(iou_matrix(truth_m4, anchors_a4), label_m >= 0)
    place_s, real_s = sample(key, index_a, ANCHORS, ANCHOR_SHARE)
    index_s, count = index_a[place_s], jnp.maximum(1, jnp.sum(real_s))
    positive_s = real_s & (index_s >= 0)
    loss_s = optax.losses.sigmoid_binary_cross_entropy(scores_a[place_s], positive_s.astype(jnp.float32))
    of_boxes = _off_by(
        deltas_a4[place_s], anchors_a4[place_s], truth_m4, index_s, positive_s, (1.0,) * 4, spec
    )
    return jnp.sum(jnp.where(real_s, loss_s, 0.0)) / count, of_boxes / count


def _second_stage(boxes_r4, logits_rk, deltas_rk4, truth_m4, label_m, weights, spec):
    index_r = matched(boxes_r4, truth_m4, label_m)
    positive_r, real_r = index_r >= 0, index_r != IGNORED
    kind_r = jnp.where(positive_r, label_m[jnp.maximum(index_r, 0)] + 1, 0)
    count = jnp.maximum(1, jnp.sum(real_r))
    loss_r = optax.losses.softmax_cross_entropy_with_integer_labels(logits_rk, kind_r)
    own_r4 = jnp.take_along_axis(deltas_rk4, kind_r[:, None, None], 1)[:, 0]
    from_r4 = jnp.where(real_r[:, None], boxes_r4, jnp.array([0.0, 0.0, 1.0, 1.0]))
    of_boxes = _off_by(own_r4, from_r4, truth_m4, index_r, positive_r, weights, spec)
    return jnp.sum(jnp.where(real_r, loss_r, 0.0)) / count, of_boxes / count


def _of_duplicates(boxes_r4, logits_rk, deltas_rk4, unique_rk, truth, weights):
    """The mean cross-entropy of scores that tell duplicates too, over the boxes that were compared.

    Of the boxes of a class that overlap a true one by an IoU of half, each the one that it overlaps most, the
    likeliest is right, and all others are duplicates (arXiv 1711.11575 section 4.3, at one threshold)."""
    truth_m4, label_m = truth
    moved_rk4 = jax.lax.stop_gradient(decode(deltas_rk4[:, 1:], boxes_r4[:, None], weights))

    def of_class(kind, moved_r4, chance_r, unique_r):
        compared_r = unique_r > NOT_COMPARED
        index_r = PROPOSAL(iou_matrix(truth_m4, moved_r4), label_m == kind)
        score_r = jnp.where(compared_r & (index_r >= 0), jax.lax.stop_gradient(chance_r), -1.0)
        best_m = jax.ops.segment_max(score_r, jnp.maximum(index_r, 0), len(label_m))
        right_r = (score_r > 0) & (score_r == best_m[jnp.maximum(index_r, 0)])
        final_r = jnp.clip(chance_r * jax.nn.sigmoid(unique_r), 1e-6, 1 - 1e-6)
        loss_r = -jnp.where(right_r, jnp.log(final_r), jnp.log1p(-final_r))
        return jnp.sum(jnp.where(compared_r, loss_r, 0.0)), jnp.sum(compared_r)

    chance_rk = jax.nn.softmax(logits_rk)[:, 1:]
    by_class = jnp.arange(unique_rk.shape[1]), jnp.swapaxes(moved_rk4, 0, 1), chance_rk.T, unique_rk.T
    sums_k, counts_k = jax.vmap(of_class)(*by_class)
    return jnp.sum(sums_k) / jnp.maximum(1, jnp.sum(counts_k))


def _off_by(deltas_s4, from_s4, truth_m4, index_s, positive_s, weights, spec):
    """How far the boxes of the positive ones are from the truth, a sum."""
    # One without a box has itself as its truth, which keeps what is not counted finite
    truth_s4 = jnp.where(positive_s[:, None], truth_m4[jnp.maximum(index_s, 0)], from_s4)
    off_s = off_by(deltas_s4, truth_s4, from_s4, weights, spec.box_loss, BETA)
    return jnp.sum(jnp.where(positive_s, off_s, 0.0))


def _by_class(deltas, logits_rk):
    """Offsets (r, classes, 4) of outputs that are of each class, or the same for all."""
    return jnp.broadcast_to(deltas.reshape(len(deltas), -1, 4), (*logits_rk.shape, 4))


def _keys(inputs, stage: int):
    """A key an image for the sample of a stage: the training step's, in evaluation always the same."""
    keys_b = inputs.get("key")
    if keys_b is None:
        keys_b = jax.vmap(jax.random.key)(jnp.zeros(len(inputs["label"]), jnp.uint32))
    return jax.vmap(jax.random.fold_in, (0, None))(keys_b, stage)
