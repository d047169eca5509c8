"""TFDS sets with objects: read without TensorFlow, boxes and labels where the images have them."""

import io

import numpy as np
import pytest
from PIL import Image

from scaling.data.dataset import load
from scaling.runs.spec import AugmentSpec, DataSpec

# Of each image (x1, y1, x2, y2, class), as fractions; the second has a box without area, the third none
SCENES = {
    "train": [[(0.0, 0.25, 0.5, 1.0, 1), (0.5, 0.0, 1.0, 0.5, 0)], [(0.1, 0.1, 0.1, 0.5, 0)], []],
    "test": [[(0.25, 0.25, 0.75, 0.75, 1)]],
}


@pytest.fixture(scope="module")
def directory(tmp_path_factory) -> str:
    """Where "shapes" and "flat", which has no boxes, are prepared."""
    import tensorflow_datasets as tfds

    root = str(tmp_path_factory.mktemp("tfds"))
    tfds.disable_progress_bar()
    objects = {"bbox": tfds.features.BBoxFeature(), "label": tfds.features.ClassLabel(names=["cat", "dog"])}
    with tfds.core.registered.skip_registration():

        class Shapes(tfds.core.GeneratorBasedBuilder):
            name, url_infos = "shapes", {}
            VERSION = tfds.core.Version("1.0.0")
            fields = (
                ("image", tfds.features.Image(shape=(None, None, 3), encoding_format="png")),
                ("objects", tfds.features.Sequence(objects)),
            )

            def _info(self):
                features = tfds.features.FeaturesDict(dict(self.fields))
                return tfds.core.DatasetInfo(builder=self, description="", features=features)

            def _split_generators(self, dl_manager):
                return {split: self._generate_examples(split) for split in SCENES}

            def _generate_examples(self, split):
                for i, scene in enumerate(SCENES[split]):
                    file = io.BytesIO()
                    Image.new("RGB", (12, 9), (40 * i, 0, 0)).save(file, "PNG")
                    found = [
                        {"bbox": np.array([y1, x1, y2, x2], np.float32), "label": k}
                        for x1, y1, x2, y2, k in scene
                    ]
                    shown = {"image": file.getvalue(), "objects": found}
                    yield i, {name: shown[name] for name, _ in self.fields}

        class Flat(Shapes):
            name, fields = "flat", Shapes.fields[:1]

    for builder in (Shapes, Flat):
        made = builder(data_dir=root, file_format="array_record")
        made.download_and_prepare(download_dir=f"{root}/downloads")
    return root


def opened(directory, name="shapes", **changes):
    spec = DataSpec("tfds", name, directory, validation="test", test="", **changes)
    return load(spec, AugmentSpec(), 8, ("boxes", "label"))


@pytest.mark.parametrize("resident", [None, False])
def test_boxes_are_x_before_y_and_stay_with_their_image(directory, resident):
    data = opened(directory, resident=resident)
    assert data.class_names == ("cat", "dog") and len(data.train) == 3
    assert len(data.problems) == 1 and "box 0 at 0.1 0.1 0.5 0.1 (y x y x) has no area" in data.problems[0]
    for i in range(3):
        scene = SCENES["train"][int(data.train[i][0, 0, 0]) // 40]
        boxes = [one for one in scene if one[2] > one[0]]
        label = data.train.extra["label"][i]
        np.testing.assert_array_equal(label[label >= 0], [one[4] for one in boxes])
        np.testing.assert_allclose(
            data.train.extra["boxes"][i][label >= 0].ravel(), np.ravel([b[:4] for b in boxes])
        )


def test_a_set_without_boxes_is_refused(directory):
    with pytest.raises(
        ValueError, match=r"flat does not have one image and a sequence of boxes.*\['image'\]"
    ):
        opened(directory, name="flat")
