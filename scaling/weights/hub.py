"""Where published weights lie: a local directory, or a repository of the Hugging Face hub and its cache."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from scaling import zoo

OWNER = "timm"  # whose repositories a bare "network.tag" means
CONFIG, WEIGHTS, PICKLE = "config.json", "model.safetensors", "pytorch_model.bin"
NO_PICKLE = (
    f"a {PICKLE} is a pickle, which can run any code when it is read, so it is never read: convert it to {WEIGHTS} "
    "where you trust it"
)


def find(
    name: str | os.PathLike[str], cache_dir: str | os.PathLike[str] | None, revision: str | None
) -> tuple[Path, Path]:
    """Return the paths of `config.json` and `model.safetensors`, downloaded where they are not here yet.

    `name` is a directory, "owner/repository", or "network.tag" of timm's. KeyError where timm's network is
    not in the zoo, ValueError for a malformed name, a directory without these files or weights that exist as
    a pickle only, FileNotFoundError where nothing can be found or reached, ImportError without the `hub`
    extra.
    """
    if Path(name).is_dir():
        return _in_directory(Path(name))
    repository = repository_of(os.fspath(name))
    config = _download(repository, CONFIG, cache_dir, revision)
    return config, _download(repository, WEIGHTS, cache_dir, revision)


def check(name: str) -> None:
    """Raise as `find` does for a name of nothing, without a download."""
    if Path(name).is_dir():
        _in_directory(Path(name))
    else:
        repository_of(name)


def repository_of(name: str) -> str:
    """Return "owner/repository"; of timm's, the network must be in the zoo and the tag be named."""
    *owner, model = name.split("/")
    if len(owner) == 1 and owner[0] not in (OWNER, "", ".", "..", "~"):
        return name
    if owner not in ([], [OWNER]):
        raise FileNotFoundError(
            f"{name!r} is not a directory: give one with {CONFIG} and {WEIGHTS}, or a name such as "
            "'efficientnet_b0.ra_in1k' or 'owner/repository'."
        )
    network, _, tag = model.partition(".")
    zoo.get(network)
    if not tag:
        raise ValueError(
            f"{name!r} names a network but not its weights: add the tag of what it was trained on, such as "
            f"'efficientnet_b0.ra_in1k'; https://huggingface.co/{OWNER} lists the tags of {network}."
        )
    return f"{OWNER}/{model}"


def _in_directory(directory: Path) -> tuple[Path, Path]:
    missing = [name for name in (CONFIG, WEIGHTS) if not (directory / name).is_file()]
    if not missing:
        return directory / CONFIG, directory / WEIGHTS
    if missing == [WEIGHTS] and (directory / PICKLE).is_file():
        raise ValueError(f"{directory} has no {WEIGHTS}, only {PICKLE}: {NO_PICKLE}.")
    raise ValueError(
        f"{directory} has no {' and no '.join(missing)}: a directory of weights holds {CONFIG} (as timm writes it) and "
        f"{WEIGHTS}."
    )


def _download(
    repository: str, file: str, cache_dir: str | os.PathLike[str] | None, revision: str | None
) -> Path:
    hub = _library()
    try:
        return Path(hub.hf_hub_download(repository, file, revision=revision, cache_dir=cache_dir))
    except hub.errors.LocalEntryNotFoundError as error:
        pickle = hub.try_to_load_from_cache(repository, PICKLE, cache_dir, revision)
        if file == WEIGHTS and isinstance(pickle, str):
            raise ValueError(
                f"{repository} has no {WEIGHTS} in the cache, only {PICKLE}; {NO_PICKLE}."
            ) from error
        offline = hub.constants.HF_HUB_OFFLINE
        why = "HF_HUB_OFFLINE is set" if offline else f"{hub.constants.ENDPOINT} was not reached"
        cause, reason = error, f"it is not in the cache, and {why}"
    except hub.errors.EntryNotFoundError as error:
        if file == WEIGHTS:
            raise ValueError(f"{repository} has no {WEIGHTS}; {NO_PICKLE}.") from error
        cause, reason = error, "the repository has no such file"
    except hub.errors.HFValidationError as error:
        raise ValueError(f"{repository!r} is not a repository's name: {_first_line(error)}") from error
    except OSError as error:
        cause, reason = error, _first_line(error)
    raise FileNotFoundError(
        f"{repository} (revision {revision or 'main'}): no {file}: {reason}. The cache is "
        f"{cache_dir or hub.constants.HF_HUB_CACHE}. Check the name, download it once where there is a network (a cache "
        f"can be copied: HF_HOME, cache_dir), or give a local directory with {CONFIG} and {WEIGHTS}."
    ) from cause


def _library() -> Any:
    try:
        import huggingface_hub
        import huggingface_hub.constants
        import huggingface_hub.errors
    except ImportError as error:
        raise ImportError(
            "downloading weights needs huggingface_hub: pip install 'jax-compound[hub]', or give a local directory "
            f"with {CONFIG} and {WEIGHTS}."
        ) from error
    return huggingface_hub


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
