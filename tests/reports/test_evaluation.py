"""An evaluation against plain loops: accuracy, confusions, calibration, and which images are the worst."""

import numpy as np
import pytest

from scaling.reports.evaluation import Evaluation, confusion_figure, contact_sheet, to_markdown

NAMES = ("cat", "dog", "eel", "fox", "gnu", "hen")


@pytest.fixture(scope="module")
def found() -> Evaluation:
    random = np.random.default_rng(0)
    shares = random.dirichlet(np.full(len(NAMES), 0.5), 300).astype(np.float32)
    labels = np.where(random.random(300) < 0.6, shares.argmax(1), random.integers(0, len(NAMES), 300))
    return Evaluation(shares, labels, NAMES)


def test_confusions_and_accuracies_are_those_of_a_loop(found):
    counts = np.zeros((6, 6), int)
    right = dict.fromkeys((1, 5), 0)
    for shares, label in zip(found.shares_nk, found.labels_n):
        order = sorted(range(6), key=lambda k: -shares[k])
        counts[label, order[0]] += 1
        for k in right:
            right[k] += label in order[:k]
    np.testing.assert_array_equal(found.confusion, counts)
    assert {k: found.accuracy(k) for k in right} == {k: n / 300 for k, n in right.items()}


def test_confidence_that_is_right_as_often_as_it_says_is_calibrated():
    shares = np.tile(np.float32([0.75, 0.25]), (400, 1))
    labels = np.repeat([0, 1], [300, 100])
    assert Evaluation(shares, labels, NAMES[:2]).calibration_error == pytest.approx(0, abs=1e-6)
    assert Evaluation(shares, np.zeros(400, int), NAMES[:2]).calibration_error == pytest.approx(0.25)


def test_the_worst_are_wrong_and_in_order(found):
    worst = found.worst(10)
    assert len(worst) == 10 and np.all(found.order_nk[worst, 0] != found.labels_n[worst])
    assert np.all(np.diff(found.own_n[worst]) >= 0)
    wrong = np.flatnonzero(found.order_nk[:, 0] != found.labels_n)
    assert found.own_n[worst].max() <= found.own_n[np.setdiff1d(wrong, worst)].min()


def test_the_report_names_every_class_and_the_commonest_confusion(found):
    text = to_markdown(found, "a title")
    assert text.startswith("# a title\n") and all(f"| {name} | " in text for name in NAMES)
    wrong = found.confusion - np.diag(np.diag(found.confusion))
    i, j = np.unravel_index(wrong.argmax(), wrong.shape)
    assert f"| {NAMES[i]} | {NAMES[j]} | {wrong.max()} |" in text.split("## Confusions")[1]
    alone = Evaluation(np.float32([[1, 0]]), np.array([0]), NAMES[:2])
    assert "None: every image is right." in to_markdown(
        alone, "t"
    ) and "| dog | 0 | – | – | – |" in to_markdown(alone, "t")


def test_names_are_written_letter_by_letter(found, tmp_path):
    odd = Evaluation(found.shares_nk, found.labels_n, ("$_$", "$5 to $10", "cat|dog", *NAMES[3:]))
    confusion_figure(odd).savefig(tmp_path / "a.png")
    contact_sheet([np.zeros((8, 8, 1), np.uint8)], ["$_$"], "$_$").savefig(tmp_path / "b.png")
    assert r"| cat\|dog | " in to_markdown(odd, "t")


def test_pictures_are_drawn_also_without_a_wrong_image(found, tmp_path):
    confusion_figure(found).savefig(tmp_path / "a.png")
    contact_sheet([np.zeros((8, 8, 1), np.uint8), np.zeros((8, 8, 3), np.uint8)], ["x", "y"], "t").savefig(
        tmp_path / "b.png"
    )
    contact_sheet([], [], "none").savefig(tmp_path / "c.png")
    assert all((tmp_path / f"{name}.png").stat().st_size > 1000 for name in "abc")
