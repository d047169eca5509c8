"""TFDS sets with masks: read without TensorFlow, brought to one size where the set states none."""

import io

import numpy as np
import pytest
from PIL import Image

from scaling.data.dataset import load
from scaling.data.masks import VOID
from scaling.runs.spec import AugmentSpec, DataSpec

SIZES = {"train": [(12, 9), (12, 9), (6, 8), (10, 10)], "test": [(7, 5), (12, 9)]}  # height, width


def png(array) -> bytes:
    file = io.BytesIO()
    Image.fromarray(array.astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


def mask_of(size: tuple[int, int]) -> np.ndarray:
    """Class 1 above, 2 below, 3 (nobody knows) between them."""
    mask = np.ones(size, np.uint8)
    mask[size[0] // 2 :] = 2
    mask[size[0] // 2] = 3
    return mask


@pytest.fixture(scope="module")
def directory(tmp_path_factory) -> str:
    """Where "pets" and "flat", which has no mask, are prepared."""
    import tensorflow_datasets as tfds

    root = str(tmp_path_factory.mktemp("tfds"))
    tfds.disable_progress_bar()
    image = lambda channels: tfds.features.Image(shape=(None, None, channels), encoding_format="png")
    with tfds.core.registered.skip_registration():

        class Pets(tfds.core.GeneratorBasedBuilder):
            name, url_infos = "pets", {}
            VERSION = tfds.core.Version("1.0.0")
            fields = (("image", image(3)), ("segmentation_mask", image(1)))

            def _info(self):
                features = tfds.features.FeaturesDict(dict(self.fields))
                return tfds.core.DatasetInfo(builder=self, description="", features=features)

            def _split_generators(self, dl_manager):
                return {split: self._generate_examples(split) for split in SIZES}

            def _generate_examples(self, split):
                for i, size in enumerate(SIZES[split]):
                    shown = {
                        "image": png(np.full((*size, 3), 40 * i)),
                        "segmentation_mask": png(mask_of(size)),
                    }
                    yield i, {name: shown[name] for name, _ in self.fields}

        class Flat(Pets):
            name = "flat"
            fields = (("image", image(3)),)

    for builder in (Pets, Flat):
        made = builder(data_dir=root, file_format="array_record")
        made.download_and_prepare(download_dir=f"{root}/downloads")
    return root


def opened(directory, name="pets", **changes):
    spec = DataSpec("tfds", name, directory, validation="test", test="", **changes)
    return load(spec, AugmentSpec(), 8, ("mask",))


def test_images_and_masks_come_to_the_networks_side(directory):
    data = opened(directory, void=3)
    assert len(data.train) == 4 and data.class_names == ("0", "1", "2")
    assert data.train.images.shape == (4, 8, 8, 3) and data.train.extra["mask"].shape == (4, 8, 8)
    masks = data.train.extra["mask"]
    assert set(np.unique(masks)) == {1, 2, VOID} and (masks[:, 0] == 1).all() and (masks[:, -1] == 2).all()


def test_a_set_without_masks_is_refused(directory):
    with pytest.raises(ValueError, match=r"flat does not have one image and one mask.*\['image'\]"):
        opened(directory, name="flat")
