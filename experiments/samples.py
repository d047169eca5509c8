"""What a trained generator makes: python -m experiments.samples --run=DIR [--classifier=DIR] [--out=FILE.png]

Draws samples side by side. With a run of a classifier, of the same kind of pictures, it also prints how sure
that is of them and of its own split (mean of its largest share), the inception score of both, and how the
samples compare with the data by the classifier's answers: coverage, density and diversity.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments import cli
from experiments.evaluate import open_split, read_spec
from scaling.border.files import write_atomically

BATCH = 100  # samples at a time


def main(argv: Sequence[str]) -> None:
    """Draw samples and score them."""
    arguments = _parser().parse_args(argv)
    from scaling.tasks.generation import SHEET, panel
    from scaling.training.export import trained
    from scaling.training.pictures import contact_sheet
    from scaling.training.start import start

    weights, step = trained(arguments.run)
    start(devices=True)
    made_nhwc = samples(weights, arguments.count)
    out: Path = arguments.out or arguments.run / "samples.png"
    write_atomically(out, contact_sheet([panel(made_hwc) for made_hwc in made_nhwc[:SHEET]]))
    print(f"{len(made_nhwc)} samples of {weights.arch.name}, step {step}: {out}")
    if arguments.classifier:
        print("\n".join(lines(arguments, made_nhwc)))


def samples(weights: Any, count: int) -> np.ndarray:
    """Return uint8 (count, h, w, c) of the noise of evaluation; ValueError for what has no generator."""
    import jax
    import jax.numpy as jnp

    from scaling.arch.gan_heads import Adversarial
    from scaling.models.network import build
    from scaling.tasks.generation import noise_at, pixels

    arch, net = weights.arch, build(weights.arch)
    if not isinstance(getattr(arch, "head", None), Adversarial):
        raise ValueError(f"{arch.name} has no generator: name a run of config.task='generation'.")  # noqa: TRY004

    @jax.jit
    def make(variables, position_b):
        noise, images = noise_at(position_b, arch.head.latent), jnp.zeros((BATCH, *arch.input_shape))
        return pixels(net.apply(variables, images, noise=noise)["out"])

    starts = range(0, count, BATCH)
    found = [np.asarray(make(weights.variables, np.arange(first, first + BATCH))) for first in starts]
    return np.concatenate(found)[:count]


def lines(arguments: argparse.Namespace, made_nhwc: np.ndarray) -> list[str]:
    """Return what a classifier says of the samples, and of as many pictures of its own split."""
    from scaling.tasks.samples import compare, inception_score
    from scaling.training.export import trained
    from scaling.weights.predict import predictions

    classifier = argparse.Namespace(run=arguments.classifier, data=arguments.data)
    weights, _ = trained(arguments.classifier)
    split, _ = open_split(read_spec(classifier), weights, None)
    data = [split[i] for i in range(min(len(split), len(made_nhwc)))]
    shares = {
        what: np.stack(list(predictions(weights, x))) for what, x in (("samples", made_nhwc), ("data", data))
    }
    told = [
        f"{what:8} confidence {found.max(1).mean():.3f}  inception score {inception_score(found):.2f}"
        for what, found in shares.items()
    ]
    compared = compare(shares["data"], shares["samples"])
    return [*told, "  ".join(f"{name} {value:.3f}" for name, value in compared.items())]


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="experiments.samples", description=(__doc__ or "").partition("\n")[0], allow_abbrev=False
    )
    made.add_argument(
        "--run", required=True, type=Path, metavar="DIR", help="the directory of a generator's run"
    )
    made.add_argument("--classifier", type=Path, metavar="DIR", help="the directory of a classifier's run")
    made.add_argument("--data", type=Path, metavar="DIR", help="other data, laid out as the classifier's own")
    made.add_argument("--count", type=int, default=1000, metavar="N", help="how many samples (default 1000)")
    made.add_argument("--out", type=Path, metavar="FILE", help="the picture (default RUN/samples.png)")
    return made


if __name__ == "__main__":
    cli.run_command(main)
