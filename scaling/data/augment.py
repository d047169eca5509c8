"""Augmentation as pure functions on the device, per example and from the example's own key.

All randomness of an example is one row of uniform draws from its key, so results do not depend on how
a batch is cut over devices; mixup and cutmix pair neighbours (2i, 2i + 1) and use the even one's draws.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from scaling.data import resize
from scaling.data.autoaugment import DRAWS, autoaugment
from scaling.data.per_image import normalised
from scaling.data.randaugment import randaugment
from scaling.runs.ranges import check_augment
from scaling.runs.spec import AugmentSpec

CROP_ATTEMPTS = 10
# Which draws an operation uses, the same whatever else is on. One call for all of them: every call of
# a JAX random function adds about half a second to the compile time on a CPU.
SLOTS = {
    "flip": slice(0, 1),
    "erase": slice(1, 6),
    "mix": slice(6, 11),
    "crop": slice(11, 13 + 2 * CROP_ATTEMPTS),
    "randaugment": slice(13 + 2 * CROP_ATTEMPTS, None),
}
ERASE_AREA = (0.02, 1 / 3)
ERASE_ASPECT = (0.3, 1 / 0.3)

Transform = Callable[[jax.Array, jax.Array, jax.Array], tuple[jax.Array, jax.Array]]


def train_transform(
    augment: AugmentSpec, resolution: int, num_classes: int, mean: Sequence[float], std: Sequence[float]
) -> Transform:
    """Build f(images uint8[B, S, S, C], labels int[B], keys[B]) -> (x_nhwc float32, targets_bk float32).

    Order: crop, flip, RandAugment or AutoAugment, normalise, erase, then mixup or cutmix. ValueError on a bad
    setting.
    """
    images = train_images(augment, resolution, mean, std)

    def transform(images_nhwc: jax.Array, labels_b: jax.Array, keys_b: jax.Array):
        draws_bu = draws_of(augment, keys_b)
        x_nhwc = images(images_nhwc, draws_bu)
        targets_bk = jax.nn.one_hot(labels_b, num_classes)
        if augment.mixup or augment.cutmix:
            return mix(x_nhwc, targets_bk, draws_bu[:, SLOTS["mix"]], augment.mixup, augment.cutmix)
        return x_nhwc, targets_bk

    return transform


def draws_of(augment: AugmentSpec, keys_b: jax.Array) -> jax.Array:
    """All uniform draws of each example, [b, u], by `SLOTS`."""
    found = DRAWS if augment.autoaugment else 2 * augment.randaugment_layers
    count = SLOTS["randaugment"].start + found
    return jax.vmap(lambda key: jax.random.uniform(key, (count,)))(keys_b)


def train_images(
    augment: AugmentSpec, resolution: int, mean: Sequence[float], std: Sequence[float]
) -> Callable[[jax.Array, jax.Array], jax.Array]:
    """Build f(images uint8[B, S, S, C], draws [B, u]) -> x_nhwc float32, one image at a time."""
    check_augment(augment)
    layers, magnitude = augment.randaugment_layers, augment.randaugment_magnitude

    def one(x_hwc: jax.Array, draws: jax.Array) -> jax.Array:
        x_hwc = crop(x_hwc, draws[SLOTS["crop"]], augment, resolution)
        if augment.flip:
            x_hwc = jnp.where(draws[SLOTS["flip"]] < 0.5, x_hwc[:, ::-1], x_hwc)
        if layers:
            x_hwc = randaugment(x_hwc, draws[SLOTS["randaugment"]].reshape(layers, 2), magnitude)
        if augment.autoaugment:
            x_hwc = autoaugment(x_hwc, draws[SLOTS["randaugment"]], augment.autoaugment)
        x_hwc = normalise(x_hwc, mean, std, augment.normalise)
        return erase(x_hwc, draws[SLOTS["erase"]], augment.erase) if augment.erase else x_hwc

    return jax.vmap(one)


def eval_transform(
    augment: AugmentSpec, resolution: int, mean: Sequence[float], std: Sequence[float]
) -> Callable[[jax.Array], jax.Array]:
    """Build f(images uint8[B, S, S, C]) -> x_nhwc float32: centre crop of `eval_crop`, resize, normalise."""
    check_augment(augment)

    def transform(images_nhwc: jax.Array) -> jax.Array:
        side = images_nhwc.shape[1]
        kept = max(1, round(side * augment.eval_crop))
        first = (side - kept) // 2
        centre = images_nhwc[:, first : first + kept, first : first + kept]
        return normalise(resize.resize(centre, resolution), mean, std, augment.normalise)

    return transform


def displaces(augment: AugmentSpec) -> str:
    """Name the settings that are on and mix or warp images without telling where what they show went."""
    names = ("mixup", "cutmix", "randaugment_layers", "autoaugment")
    return ", ".join(f"augment.{name}={value!r}" for name in names if (value := getattr(augment, name)))


def check_moves(augment: AugmentSpec, what: str) -> None:
    """Raise ValueError where images would be mixed or warped without `what` they show."""
    if on := displaces(augment):
        raise ValueError(f"{on} mix or warp images without their {what}: leave them off.")


def check_uncropped(augment: AugmentSpec, what: str) -> None:
    """Raise ValueError where evaluation would see a part of an image, of which `what` are scored."""
    if augment.eval_crop != 1:
        raise ValueError(
            f"augment.eval_crop={augment.eval_crop} would leave out {what} that are scored: set it to 1."
        )


def normalise(x: jax.Array, mean: Sequence[float], std: Sequence[float], how: str = "set") -> jax.Array:
    """Pixels in [0, 255], channels last, to mean 0 and deviation 1 of the set, or by the image's own."""
    if how != "set":
        return normalised(x, how)
    scale, shift = jnp.asarray(std, jnp.float32) * 255, jnp.asarray(mean, jnp.float32) * 255
    return (x.astype(jnp.float32) - shift) / scale


def crop(x_hwc: jax.Array, draws: jax.Array, augment: AugmentSpec, resolution: int) -> jax.Array:
    """Bring uint8[S, S, C] to float32[resolution, resolution, C], values in [0, 255], by `augment.crop`."""
    if augment.crop == "resized":
        return random_resized_crop(x_hwc, draws, augment.area, augment.aspect, resolution)
    x_hwc = resize.resize(x_hwc[None], resolution)[0]
    return padded_crop(x_hwc, draws[:2], augment.pad, augment.pad_mode) if augment.crop == "pad" else x_hwc


def padded_crop(x_hwc: jax.Array, draws: jax.Array, pad: int, mode: str = "black") -> jax.Array:
    """Pad and crop back at a random place. Uses 2 draws.

    With "black" (arXiv 1512.03385 section 4.2), or with "reflect" the image mirrored there (1605.07146).
    """
    first_yx = padded_place(draws, pad)
    around = ((pad, pad), (pad, pad), (0, 0))
    padded = jnp.pad(x_hwc, around, mode="constant" if mode == "black" else mode)
    return jax.lax.dynamic_slice(padded, (first_yx[0], first_yx[1], 0), x_hwc.shape)


def padded_place(draws: jax.Array, pad: int) -> jax.Array:
    """Row and column (y, x) of the padded image at which a crop begins."""
    return jnp.floor(draws * (2 * pad + 1)).astype(jnp.int32)


def random_resized_crop(
    x_hwc: jax.Array,
    draws: jax.Array,
    area: tuple[float, float],
    aspect: tuple[float, float],
    resolution: int,
) -> jax.Array:
    """Resize a box of random area (fraction) and aspect (log-uniform) to a square (arXiv 1409.4842).

    The first of ten drawn boxes that lies inside is taken, else the whole image. Uses 22 draws.
    """
    side = x_hwc.shape[0]
    start_yx, box_hw = random_box(draws, area, aspect)
    rows, columns = (resize.weights(start_yx[i] * side, box_hw[i] * side, side, resolution) for i in (0, 1))
    return resize.sample(x_hwc, rows, columns)


def random_box(
    draws: jax.Array, area: tuple[float, float], aspect: tuple[float, float]
) -> tuple[jax.Array, jax.Array]:
    """Corner and size (y, x) of the first of ten drawn boxes that lies inside, else of the whole image."""
    areas, ratios = draws[2:].reshape(2, CROP_ATTEMPTS)
    boxes_hw = box_size(areas, ratios, area, aspect)
    inside = jnp.all(boxes_hw <= 1, axis=1)
    box_hw = jnp.where(jnp.any(inside), boxes_hw[jnp.argmax(inside)], 1.0)
    return draws[:2] * (1 - box_hw), box_hw


def box_size(
    area_draw: jax.Array, aspect_draw: jax.Array, area: tuple[float, float], aspect: tuple[float, float]
) -> jax.Array:
    """Height and width [..., 2] as fractions of the side: area uniform, width over height log-uniform."""
    size = jnp.sqrt(area[0] + area_draw * (area[1] - area[0]))
    root = jnp.sqrt(aspect[0] * (aspect[1] / aspect[0]) ** aspect_draw)
    return jnp.stack([size / root, size * root], axis=-1)


def erase(x_hwc: jax.Array, draws: jax.Array, probability: float) -> jax.Array:
    """With `probability` set a rectangle to 0, the mean pixel, by 5 draws (arXiv 1708.04896)."""
    side = x_hwc.shape[0]
    size_hw = jnp.minimum(1.0, box_size(draws[0], draws[1], ERASE_AREA, ERASE_ASPECT))
    start_yx = draws[2:4] * (1 - size_hw)
    hit = box_mask(start_yx * side, (start_yx + size_hw) * side, side)
    return jnp.where(hit[..., None] & (draws[4] < probability), 0.0, x_hwc)


def box_mask(start_yx: jax.Array, stop_yx: jax.Array, side: int) -> jax.Array:
    """bool[side, side]: which pixels have their centre in [start, stop)."""
    centre = jnp.arange(side) + 0.5
    rows, columns = ((centre >= start_yx[i]) & (centre < stop_yx[i]) for i in (0, 1))
    return rows[:, None] & columns[None, :]


def mix(
    x_nhwc: jax.Array, targets_bk: jax.Array, draws_bu: jax.Array, mixup: float, cutmix: float
) -> tuple[jax.Array, jax.Array]:
    """Mix each pair (2i, 2i + 1), images and targets, by mixup (arXiv 1710.09412) or cutmix (1905.04899).

    `mixup` and `cutmix` are the Beta parameters, 0 for off; where both are on, a fair coin chooses for
    each pair. Uses 5 draws of each even example. ValueError where the batch on a device is odd.
    """
    count, side = len(x_nhwc), x_nhwc.shape[1]
    if count % 2:
        raise ValueError(
            f"mixup and cutmix mix neighbours in pairs, but {count} images reach one device: choose train.batch "
            "so that batch / devices / accumulate is even."
        )

    def share(draws: jax.Array) -> jax.Array:
        """How much of each pixel an image keeps, [H, W, 1]; the rest comes from its neighbour."""
        blend = jnp.full((side, side), beta(draws[0], mixup) if mixup else 1.0)
        cut = cutmix_share(draws[1:4], cutmix, side) if cutmix else jnp.ones((side, side))
        both = bool(mixup and cutmix)
        return jnp.where(draws[4] < (0.5 if both else float(mixup > 0)), blend, cut)[..., None]

    share_phwc = jnp.repeat(jax.vmap(share)(draws_bu[0::2]), 2, axis=0)
    weight_b1 = jnp.mean(share_phwc, axis=(1, 2))
    mixed = share_phwc * x_nhwc + (1 - share_phwc) * swap_neighbours(x_nhwc)
    return mixed, weight_b1 * targets_bk + (1 - weight_b1) * swap_neighbours(targets_bk)


def cutmix_share(draws: jax.Array, alpha: float, side: int) -> jax.Array:
    """float[side, side], 0 in a square whose area is a Beta(alpha, alpha) draw, 1 elsewhere. Uses 3 draws."""
    half = 0.5 * side * jnp.sqrt(beta(draws[0], alpha))
    centre_yx = draws[1:] * side
    return 1.0 - box_mask(centre_yx - half, centre_yx + half, side)


def beta(draw: jax.Array, alpha: float) -> jax.Array:
    """The quantile of Beta(alpha, alpha) at a uniform draw, by a table in s = x ** alpha.

    In s the density (1 - s ** (1 / alpha)) ** (alpha - 1) has no pole below the median, so an even
    grid is exact to about 1e-4. A table compiles in no time; `jax.random.beta` takes seconds.
    """
    grid_s = np.linspace(0.0, 0.5**alpha, 4097)
    density = (1 - grid_s ** (1 / alpha)) ** (alpha - 1)
    mass = np.concatenate([[0.0], np.cumsum(density[1:] + density[:-1])])
    below_s = jnp.interp(jnp.minimum(draw, 1 - draw), jnp.asarray(mass / mass[-1] / 2), jnp.asarray(grid_s))
    below = below_s ** (1 / alpha)
    return jnp.where(draw < 0.5, below, 1 - below)


def swap_neighbours(x_n: jax.Array) -> jax.Array:
    """Exchange entries 2i and 2i + 1 along the first axis."""
    return x_n.reshape(-1, 2, *x_n.shape[1:])[:, ::-1].reshape(x_n.shape)
