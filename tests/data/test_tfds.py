"""TFDS sets are read through array_record, offline and without TensorFlow."""

import subprocess
import sys

import numpy as np
import pytest

from scaling.data import StreamSplit, load
from scaling.runs.spec import AugmentSpec, DataSpec


def spec(prepared, **changes) -> DataSpec:
    return DataSpec(**{"source": "tfds", "name": "mnist", "dir": str(prepared), **changes})


def test_pixels_and_labels_are_those_of_tfds(prepared):
    import tensorflow_datasets as tfds

    records = tfds.data_source("mnist", split="test", data_dir=prepared, download=False)
    test = load(spec(prepared), AugmentSpec(), 28).test()
    assert len(test) == len(records)
    for i, record in enumerate(records):
        np.testing.assert_array_equal(test.images[i], record["image"])
        assert test.labels[i] == record["label"]


def test_splits_add_and_divide_as_tfds_writes_them(prepared):
    found = load(spec(prepared, train="train[:50%]", validation="train[50%:]+test[:10]", test="test[10:]"),
                 AugmentSpec(), 28)  # fmt: skip
    assert (len(found.train), len(found.validation), len(found.test())) == (50, 60, 90)


def test_photos_are_kept_at_the_side_that_evaluation_crops_from(prepared):
    data = spec(prepared, name="imagenette224", test="validation")
    assert load(data, AugmentSpec(eval_crop=0.875), 56).train.side == 64
    assert load(data, AugmentSpec(), 300).train.side == 224, "never enlarged"
    streamed = load(
        spec(prepared, name="imagenette224", test="validation", resident=False), AugmentSpec(), 32
    )
    assert isinstance(streamed.train, StreamSplit)


@pytest.mark.parametrize(
    "name, words", [("mnist", "not prepared there"), ("mnits", "mnits"), ("", "data.name=''")]
)
def test_an_unprepared_set_is_refused_with_the_way_to_prepare_it(tmp_path, name, words):
    with pytest.raises(ValueError, match="array_record") as error:
        load(spec(tmp_path, name=name), AugmentSpec(), 28)
    assert words in str(error.value) and "download_and_prepare" in str(error.value)


def test_reading_loads_no_tensorflow(prepared):
    code = (
        "import sys; from scaling.data import load; from scaling.runs.spec import AugmentSpec, DataSpec; "
        f"load(DataSpec(source='tfds', name='mnist', dir={str(prepared)!r}), AugmentSpec(), 28); "
        "print('tensorflow' in sys.modules)"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert output.stdout.strip() == "False"
