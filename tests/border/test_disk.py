"""What a disk refuses is one sentence, whoever met it, and a full disk is not a lack of memory."""

import errno
from pathlib import Path

import pytest

from scaling.border.disk import REASONS, as_os_error, naming, sentence
from scaling.border.private_cache import make_private
from scaling.runs.failures import tells_out_of_memory

TENSORSTORE = "RESOURCE_EXHAUSTED: Failed to write 28 bytes: No space left on device [os_error_code='28']"


@pytest.mark.parametrize("number", REASONS)
def test_each_refusal_names_the_file_and_the_fix_in_one_sentence(number):
    text = sentence(OSError(number, "", "runs/x/row.json"))
    assert text.startswith("runs/x/row.json cannot be used: ") and text.endswith(".") and text.count(".") < 4


def test_other_errors_are_none_of_the_disks():
    assert not sentence(FileNotFoundError(errno.ENOENT, "", "x"))
    assert as_os_error(ValueError("RESOURCE_EXHAUSTED: Out of memory"), Path("x")) is None


def test_a_library_that_meets_a_full_disk_is_understood():
    told = as_os_error(ValueError(TENSORSTORE), Path("runs/x"))
    assert told is not None and (told.errno, told.filename) == (errno.ENOSPC, "runs/x")
    assert not tells_out_of_memory(TENSORSTORE) and tells_out_of_memory("RESOURCE_EXHAUSTED: 8 bytes")


def test_a_write_names_its_file():
    with pytest.raises(OSError) as refused, naming(Path("a/b")):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert refused.value.filename == "a/b"


def test_a_private_directory_is_no_link_and_lies_below_none_that_all_may_change(tmp_path):
    assert make_private(tmp_path / "mine").stat().st_mode & 0o777 == 0o700
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    with pytest.raises(PermissionError, match="is a link"):
        make_private(tmp_path / "link")
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(PermissionError, match=r"has mode 777.*could replace"):
        make_private(tmp_path / "open" / "below" / "mine")
    (tmp_path / "open").chmod(0o1777)
    make_private(tmp_path / "open" / "below" / "mine")
