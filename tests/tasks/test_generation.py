"""Generation: each phase trains its own parameters only, noise is an example's own, samples are compared."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import scaling
from scaling.arch.arch import Arch
from scaling.arch.blocks import Conv
from scaling.arch.gan_heads import GENERATOR, JUDGE, Adversarial
from scaling.arch.map_heads import UPSAMPLINGS
from scaling.arch.stages import Stage
from scaling.cost.closed_form import totals
from scaling.cost.counting import count
from scaling.models.initialize import abstract_variables
from scaling.runs.spec import AugmentSpec
from scaling.tasks import generation
from scaling.tasks.samples import compare, inception_score
from scaling.tasks.task import Inputs
from scaling.training.packing import at_paths

PAIR = Arch(
    "pair",
    "tests",
    (Stage(Conv(norm=False, bias=True), 4, stride=2),),
    (Stage(Conv(), 4, stride=2),),
    Adversarial(3, (6, 4), grid=2),
    7,
    1,
    1,
    activation="leaky_relu",
)


def applied(arch, variables, params, images, held=lambda _: False, **told):
    """What a step gives to a loss."""
    params = at_paths(jax.lax.stop_gradient, params, held)
    net = scaling.build(arch)
    known = {**variables, "params": params}
    return net.apply(known, images, train=True, mutable=["batch_stats"], **told)


def quickly(function, *arguments):
    """What a program answers that is too small to gain by optimised code."""
    options = {"xla_backend_optimization_level": 0}
    return jax.jit(function).lower(*arguments).compile(compiler_options=options)(*arguments)


def test_each_phase_reaches_all_of_its_own_parameters_and_none_of_the_others():
    variables = scaling.initialize(scaling.build(PAIR), seed=0)
    images, z = (
        jax.random.uniform(jax.random.key(i), s, minval=-1) for i, s in enumerate([(4, 7, 7, 1), (4, 3)])
    )

    def phases(params):
        apply = functools.partial(applied, PAIR, variables, params)
        judge, outputs, _, _ = generation.judge_loss(apply, {"image": images, "noise": z})
        return jnp.stack([judge, generation.generator_loss(apply, outputs["out"], PAIR)])

    slopes = quickly(jax.jacrev(phases), variables["params"])
    assert slopes.keys() == {"stem_0", "stages_0", JUDGE, GENERATOR}
    for name, tree in slopes.items():
        own, other = (1, 0) if name == GENERATOR else (0, 1)
        assert all(np.any(leaf[own]) and not np.any(leaf[other]) for leaf in jax.tree.leaves(tree)), name


@pytest.mark.representatives("shuffle")
@pytest.mark.parametrize("upsampling", UPSAMPLINGS)
def test_it_costs_what_is_counted_and_answers_a_picture(upsampling):
    stem = (Stage(Conv(norm=False), 4, stride=1 if upsampling == "nearest" else 2),)
    arch = PAIR.replace(stem=stem, head=Adversarial(3, (6, 4), 2, 3, upsampling), resolution=9)
    walked, sums = count(arch), totals(arch)
    for figure in ("params", "batch_stats", "macs", "activations"):
        assert getattr(sums, figure) == getattr(walked, figure), figure
    net, images = scaling.build(arch), jax.ShapeDtypeStruct((2, 9, 9, 1), jnp.float32)
    variables = abstract_variables(net, 9, 1)
    found = jax.eval_shape(net.apply, variables, images)
    assert (found["judged"].shape, found["out"].shape) == ((2,), (2, 9, 9, 1))


@pytest.mark.nightly
def test_pictures_follow_the_noise_and_lie_in_the_range_of_the_data():
    net = scaling.build(PAIR)
    variables = scaling.initialize(net, seed=0)

    def make(position_b):
        z = generation.noise_at(position_b, 3)
        return net.apply(variables, jnp.zeros((3, 7, 7, 1)), noise=z)["out"], z

    (made, z), (again, _) = (quickly(make, np.array(order)) for order in ([0, 1, 2], [2, 1, 0]))
    assert np.all(np.abs(made) < 1) and np.abs(z).max() <= 1 and len(np.unique(np.asarray(z))) == 9
    np.testing.assert_allclose(again, made[::-1], atol=1e-6)
    assert generation.pixels(jnp.float32([-1, 0, 1])).tolist() == [0, 128, 255]


@pytest.mark.parametrize("name", ["dcgan", "dcgan_28"])
def test_listed_networks_are_of_their_size_and_scale_in_both_parts(name):
    arch = scaling.get(name)
    first, *others = widths = arch.widths if not arch.stem else (arch.stem[-1].width, *arch.widths)
    pairs, colours = list(zip(widths, others)), arch.num_classes
    judge = (
        25 * (colours * first + sum(a * b for a, b in pairs)) + first + 2 * sum(others) + 16 * widths[-1] + 1
    )
    generator = 16 * 100 * widths[-1] + 36 * (sum(a * b for a, b in pairs) + first * colours)
    assert totals(arch).params == judge + generator + 2 * sum(widths) + 4 * colours
    wide, deep = scaling.scale(arch, width=2), scaling.scale(arch, depth=2)
    assert wide.head.widths == tuple(2 * width for width in arch.head.widths) and deep.head.convs == 2
    assert 3.0 < totals(wide).macs / totals(arch).macs < 4.2 and totals(deep).macs > 1.3 * totals(arch).macs


@pytest.mark.parametrize(
    "wrong", [{"upsampling": "cubic"}, {"latent": 0}, {"widths": ()}, {"convs": 0}], ids=str
)
def test_a_head_that_cannot_be_is_refused(wrong):
    with pytest.raises(ValueError, match="the head Adversarial"):
        PAIR.replace(head=Adversarial(**wrong))
    with pytest.raises(ValueError, match="goes up by 2 at a time, but from stride 4 to 1"):
        PAIR.replace(strides=(4, 2))


def test_pictures_that_are_mixed_or_stretched_are_refused():
    for augment in (AugmentSpec(mixup=0.2), AugmentSpec(normalise="z_score")):
        with pytest.raises(ValueError, match="augment"):
            generation.GENERATION.train_inputs(Inputs(augment, 7, 1, (0.5,), (0.5,), PAIR))
    assert generation.GENERATION.adapt(PAIR.replace(in_channels=3)).num_classes == 3


def test_samples_like_the_data_cover_it_and_one_picture_again_and_again_does_not():
    rng = np.random.default_rng(0)
    data, alike, again = rng.normal(size=(200, 2, 3)), rng.normal(size=(200, 2, 3)), np.zeros((200, 2, 3))
    good, dull, far = compare(data, alike), compare(data, again), compare(data, alike + 20)
    assert good["coverage"] > 0.9 and good["diversity"] == pytest.approx(1, abs=0.1) and good["density"] > 0.8
    assert dull["coverage"] < 0.6 and dull["diversity"] == 0 and dull["density"] > 1
    assert far["coverage"] == far["density"] == 0 and far["diversity"] == pytest.approx(good["diversity"])
    assert compare(data[:1], alike[:1]) == {"coverage": 0, "density": 0, "diversity": 0}


def test_the_inception_score_counts_classes_that_are_told_surely():
    assert inception_score(np.eye(5)[np.arange(50) % 5]) == pytest.approx(5, rel=1e-6)
    for dull in (np.full((50, 5), 0.2), np.eye(5)[[2] * 50]):
        assert inception_score(dull) == pytest.approx(1)
