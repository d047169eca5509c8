"""Masks as pictures: classes by colours that stay apart, and a score for each image."""

import numpy as np
import pytest

from scaling.data.masks import VOID
from scaling.tasks.mask_panels import GREY, colours, mask_panels
from scaling.tasks.segmentation import SEGMENTATION, of_confusion


def test_every_class_has_a_colour_of_its_own():
    found = colours(VOID + 1)
    assert len(np.unique(found, axis=0)) == VOID + 1
    assert found[:3].tolist() == [[0, 0, 0], [128, 0, 0], [0, 128, 0]]  # Pascal VOC's


def test_panels_have_the_masks_size_and_show_what_is_told():
    mask = np.array([[0, 1, 1, 2], [0, 1, VOID, 2]], np.uint8)
    seen = {"mask": mask, "predicted": np.where(mask == VOID, 1, mask)}
    panels = mask_panels(np.zeros((6, 6, 1), np.uint8), seen, ("a", "b", "c"))
    assert list(panels) == ["image", "truth", "predicted"]
    assert all(panel.shape == (2, 4, 3) and panel.dtype == np.uint8 for panel in panels.values())
    differs = np.any(panels["truth"] != panels["predicted"], -1)
    np.testing.assert_array_equal(differs, mask == VOID)
    assert panels["truth"][1, 2].tolist() == [round(0.6 * GREY)] * 3 and not panels["image"].any()


def test_an_image_scores_its_own_mean_iou():
    mask = np.array([[0, 0, 1], [1, 1, VOID]], np.uint8)
    seen = {"mask": mask, "predicted": np.array([[0, 1, 1], [1, 1, 0]], np.uint8)}
    score = SEGMENTATION.pictures.score
    assert score(seen) == pytest.approx(of_confusion(np.array([[1, 1], [0, 3]]))["miou"])
    assert score({**seen, "predicted": mask}) == 1.0
