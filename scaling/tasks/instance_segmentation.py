"""A box, a class and a mask for every thing, by a detector in two stages that also draws masks.

Both stages learn as `scaling.tasks.two_stage` says. A mask learns as in arXiv 1703.06870 section 3: in the
boxes of the sample that have a true one, of the true class only, by the binary cross-entropy over a grid. In
evaluation masks are drawn in what is left after suppression, and painted at the truth's own size, each pixel
to the likeliest; things whose score is `train.sure_score` or more are compared with the true ones. Beside
that share stands COCO's average precision of masks, "segm_ap", over all that were found."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from scaling.data.augment import check_moves, check_uncropped, draws_of, eval_transform, train_images
from scaling.data.placement import move_mask, placement
from scaling.runs.spec import TrainSpec
from scaling.tasks import two_stage
from scaling.tasks.answers import Answer
from scaling.tasks.average_precision import average_precision, summary
from scaling.tasks.box_panels import BOX_COLUMNS, boxes_of
from scaling.tasks.detection import DETECTION, detected
from scaling.tasks.instance_masks import located, masks, of_one_class, overlaps, painted, shared, within
from scaling.tasks.instance_panels import image_score, instance_panels, matched_share, said_things
from scaling.tasks.pictures import Pictures
from scaling.tasks.task import Inputs, Metric, Task


def _train_inputs(made: Inputs):
    augment, side = made.augment, made.resolution
    images = train_images(augment, side, made.mean, made.std)
    check_moves(augment, "masks")

    def moved(map_hw, label_m, draws_u):
        map_hw = move_mask(map_hw, placement(draws_u, augment, side), side, outside=0)
        return map_hw, *located(map_hw, label_m)

    def inputs(fields, keys_b):
        draws_bu = draws_of(augment, keys_b)
        map_nhw, boxes_nm4, label_nm = jax.vmap(moved)(fields["instances"], fields["label"], draws_bu)
        things = {"instances": map_nhw, "boxes": boxes_nm4, "label": label_nm}
        return {"image": images(fields["image"], draws_bu), "key": keys_b, **things}

    return inputs


def _eval_inputs(made: Inputs):
    check_uncropped(made.augment, "things")
    transform = eval_transform(made.augment, made.resolution, made.mean, made.std)

    def inputs(fields):
        boxes_nm4, label_nm = jax.vmap(located)(fields["instances"], fields["label"])
        return {**fields, "image": transform(fields["image"]), "boxes": boxes_nm4, "label": label_nm}

    return inputs


def _adapt(arch):
    """One class more, the background; ValueError for a head that draws no masks."""
    if arch.head.masks is None:
        raise ValueError(
            f"{arch.name} draws no masks, which config.task='instance_segmentation' learns: set "
            "config.model.head='maskrcnn', give its head masks, or set config.task='detection'."
        )
    return arch.replace(num_classes=arch.num_classes + 1)


def _loss(apply, inputs, spec, arch, stages=two_stage.BOTH):
    regions = lambda found: two_stage.sampled(found, inputs, spec, arch)
    outputs, updates = apply(
        inputs["image"], regions=regions, drawn=lambda found: two_stage.positives_of(found, spec)
    )
    class_b, box_b = two_stage.losses(outputs, inputs, spec, arch, stages)
    mask_b = mask_losses(outputs, inputs) if two_stage.SECOND in stages else jnp.zeros_like(box_b)
    parts = {"class_loss": class_b, "box_loss": box_b, "mask_loss": mask_b}
    loss = jnp.mean(_total(class_b, box_b, mask_b, spec))
    return loss, updates, {name: jnp.mean(loss_b) for name, loss_b in parts.items()}


def _total(of_class, of_box, of_mask, spec: TrainSpec):
    return of_class + spec.box_weight * of_box + of_mask


def mask_losses(outputs, inputs):
    """Return the mean over the drawn boxes of each image that have a true one, (n,); 0 without any."""
    scale = _scale(inputs)

    def of_image(logits_rssk, boxes_r4, truth_m4, label_m, map_hw):
        index_r = two_stage.matched(boxes_r4, truth_m4, label_m)
        positive_r, own_r = index_r >= 0, jnp.maximum(index_r, 0)
        logits_rss = _of_class(logits_rssk, label_m[own_r])
        target_rss = within(map_hw, boxes_r4 / scale, own_r, logits_rss.shape[-1]).astype(jnp.float32)
        loss_r = jnp.mean(optax.losses.sigmoid_binary_cross_entropy(logits_rss, target_rss), (1, 2))
        return jnp.sum(jnp.where(positive_r, loss_r, 0.0)) / jnp.maximum(1, jnp.sum(positive_r))

    told = outputs["mask_logits"], outputs["drawn"], *two_stage.truth_of(inputs), inputs["instances"]
    return jax.vmap(of_image)(*told)


def _of_class(logits_rssk, class_r):
    """The masks of a class each, numbered without the background, (r, side, side)."""
    return jnp.take_along_axis(logits_rssk, jnp.maximum(class_r + 1, 0)[:, None, None, None], -1)[..., 0]


def _scale(inputs):
    height, width = inputs["image"].shape[1:3]
    return jnp.asarray([width, height, width, height], jnp.float32)


def _told(inputs, spec, arch):
    height, width = inputs["image"].shape[1:3]
    return {"drawn": lambda found: two_stage.detect(arch, found, height, width, spec).boxes}


def _sums(outputs, inputs, real_b, spec, arch) -> dict[str, Any]:
    class_b, box_b = two_stage.losses(outputs, inputs, spec, arch)
    loss_b = _total(class_b, box_b, mask_losses(outputs, inputs), spec)
    return {
        "count": jnp.sum(real_b, dtype=jnp.int32),
        "loss": jnp.sum(jnp.where(real_b, loss_b, 0.0)),
    }


def _drawn(outputs, inputs, found: dict[str, Any], spec: TrainSpec) -> tuple[Any, Any]:
    """Maps of the things that were found, numbered as detections are, int32 (n, h, w) at the truth's size,
    and the pixels that each by itself has of the true things, (n, d, 1 + m)."""
    height, width = inputs["instances"].shape[1:]

    def of_image(told):
        logits_dssk, map_hw, boxes_d4, score_d, class_d = told
        masks_dhw = _masks(logits_dssk, boxes_d4, class_d, height, width)
        of_pairs = shared(masks_dhw, map_hw, inputs["label"].shape[1])
        return painted(masks_dhw, score_d >= spec.sure_score), of_pairs

    names = "predicted", "score", "class"
    told = [outputs["mask_logits"], inputs["instances"], *(found[name] for name in names)]
    return jax.lax.map(of_image, told)  # one at a time: an image's masks are many pixels


def _masks(logits_dssk, boxes_d4, class_d, height: int, width: int):
    """The masks of what was found in one image, each of its class, bool (d, height, width)."""
    return masks(jax.nn.sigmoid(_of_class(logits_dssk, class_d)), boxes_d4, height, width)


def _alone(outputs, inputs, spec, arch) -> dict[str, Any]:
    """What was found, and a map of it at the input's size, numbered as detections are."""
    height, width = inputs["image"].shape[1:3]
    found = detected(outputs, inputs, spec, arch)

    def of_image(told):
        logits_dssk, boxes_d4, score_d, class_d = told
        return painted(_masks(logits_dssk, boxes_d4, class_d, height, width), score_d >= spec.sure_score)

    told = [outputs["mask_logits"], *(found[name] for name in ("predicted", "score", "class"))]
    return {**found, "map": jax.lax.map(of_image, told), "sure": jnp.full(len(told[0]), spec.sure_score)}


def _gather(outputs, inputs, spec, arch) -> dict[str, Any]:
    """What detection gathers, and the pixels of each pair of a predicted and a true thing: "overlaps" of
    those that are sure, each pixel to one of them and things of one class alone, "shared" of all by
    themselves."""
    found = DETECTION.gather(outputs, inputs, spec, arch)
    map_nhw, shared_ndm = _drawn(outputs, inputs, found, spec)
    counts = found["score"].shape[1], inputs["label"].shape[1]
    pairs = jax.vmap(lambda one, other: overlaps(one, other, *counts))(map_nhw, inputs["instances"])
    pairs = jax.vmap(of_one_class)(pairs, found["class"], inputs["label"])
    return {**found, "overlaps": pairs, "shared": shared_ndm}


def _means(totals: dict[str, Any]) -> dict[str, float]:
    of_masks = {
        name: float(np.mean([matched_share(pairs, threshold) for pairs in totals["overlaps"]]))
        for name, threshold in (("mask_ap50", 0.5), ("mask_ap75", 0.75))
    }
    return {**of_masks, **_ranked(totals), **DETECTION.means(totals)}


def _ranked(totals: dict[str, Any]) -> dict[str, float]:
    """COCO's average precision of masks: of all that were found, the likeliest first, each by itself."""
    names = "predicted", "score", "class", "boxes", "label", "overlaps", "shared"
    predicted, truth, ious = [], [], []
    for image in zip(*(totals[name] for name in names)):
        seen: dict[str, Any] = dict(zip(names, image))
        own, true = boxes_of(seen)
        shared_dm = seen["shared"][seen["score"] > 0].astype(float)
        area_m, area_d = seen["overlaps"].sum(0)[1:], shared_dm.sum(1)
        union_dm = area_d[:, None] + area_m - shared_dm[:, 1:]
        iou_dm = np.divide(shared_dm[:, 1:], union_dm, out=np.zeros_like(union_dm), where=union_dm > 0)
        predicted.append(own)
        truth.append(true)
        ious.append(iou_dm[:, seen["label"] >= 0])
    found = average_precision(predicted, truth, int(np.max(totals["label"], initial=-1)) + 1, ious)
    return {f"segm_{name}": value for name, value in summary(found).items()}


def _see(outputs, inputs, spec, arch) -> dict[str, Any]:
    found = DETECTION.gather(outputs, inputs, spec, arch)
    return {"truth": inputs["instances"], "predicted": _drawn(outputs, inputs, found, spec)[0]}


INSTANCE_SEGMENTATION = Task(
    name="instance_segmentation",
    metric=Metric("mask_ap50", "mask AP50", "share of right masks at IoU 0.5"),
    fields=("instances", "label"),
    heads=("TwoStage",),
    train_inputs=_train_inputs,
    eval_inputs=_eval_inputs,
    loss=_loss,
    sums=_sums,
    means=_means,
    gather=_gather,
    adapt=_adapt,
    told=_told,
    turns=lambda _: two_stage.turns(_loss),
    pictures=Pictures(_see, image_score, instance_panels),
    answer=Answer((*BOX_COLUMNS, "number", "pixels"), _alone, said_things),
)
