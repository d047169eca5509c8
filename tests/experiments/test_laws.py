"""The command fits committed rows, writes what it prints, and refuses what has no law."""

import pytest

from experiments.laws import MARKDOWN, main
from experiments.tables.committed import RESULTS

FASHION, FAMILIES = RESULTS / "fashion_mnist", RESULTS / "families"


def test_committed_rows_make_tables(tmp_path, capsys):
    main([f"--workdir={FASHION}", "--budget=1.38e6,3e6", f"--out={tmp_path}"])
    printed = capsys.readouterr().out
    written = (tmp_path / MARKDOWN).read_text()
    assert written.startswith("# fashion_mnist\n") and written.split("\n", 2)[2].strip() in printed
    assert "cifar_resnet: not tested, its smaller sizes have no law: 2 runs leave nothing to judge" in written
    assert "| 3.00 M | efficientnet |" in written and "| 3.00 M | cifar_resnet |" not in written


def test_several_studies_make_one(capsys):
    main([f"--workdir={FASHION}", f"--workdir={RESULTS / 'photos'}", "--axis=params"])
    printed = capsys.readouterr().out
    laws = printed.split("## ")[1]
    assert laws.startswith("Laws along params")
    assert laws.count("\n- efficientnet · ") == laws.count("\n- cifar_resnet · ") == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([f"--workdir={FASHION}", "--budget=1e6,x"], "'x' is not a number above 0"),
        ([f"--workdir={FASHION}", "--budget=-1"], "'-1' is not a number above 0"),
        ([f"--workdir={FASHION}", "--holdout=0"], "must be 1 or more"),
        ([f"--workdir={FASHION}", "--axis=examples"], "two sizes or more, and the 2 series .* 1 at most"),
        ([f"--workdir={FAMILIES}"], "the 37 series of these runs have 1 at most"),
        (["--workdir=nowhere"], "is not a directory"),
    ],
)
def test_what_has_no_law_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        main(arguments)
