"""A listing holds every file or says what it left out: no loop, no link, no damage passes in silence."""

import io
import os
import random
import tarfile
import tracemalloc
import zipfile
import zlib

import pytest

from scaling.border import archives
from scaling.border.members import LARGEST

FILES = {f"{name}/{i}.png": f"{name}{i}".encode() * 40 for name in ("ant", "bee") for i in range(5)}


def write_folder(root, files=FILES):
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def tar_bytes(entries):
    """A .tar of (name, content) pairs; a string as content is what a symbolic link points to."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in entries:
            entry = tarfile.TarInfo(name)
            if isinstance(content, str):
                entry.type, entry.linkname, content = tarfile.SYMTYPE, content, b""
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def zip_bytes(entries, method=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return out.getvalue()


def listed(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    return archives.walk(tmp_path / name)


def content(listing):
    return {"/".join(member.parts): member.read() for member in listing.members}


def test_loops_of_links_and_pipes_are_problems_and_every_file_is_there_once(tmp_path):
    root = write_folder(tmp_path / "set")
    (root / "ant" / "loop").symlink_to(root)
    (root / "above").symlink_to(tmp_path)
    (root / "aaa").symlink_to(root / "bee")
    (root / "cat").symlink_to(write_folder(tmp_path / "elsewhere", {"c.png": b"c"}))
    os.mkfifo(root / "bee" / "pipe.png")
    found = archives.walk(root)
    assert content(found) == FILES | {"cat/c.png": b"c"}
    told = {"/".join(problem.parts): problem.reason for problem in found.problems}
    assert sorted(told) == ["aaa", "above", "ant/loop", "bee/pipe.png"]
    assert "same directory" in told["aaa"] and "neither a file" in told["bee/pipe.png"]


def test_links_to_files_are_files(tmp_path):
    root = write_folder(tmp_path)
    (root / "bee" / "linked.png").symlink_to(root / "ant" / "0.png")
    found = archives.walk(root)
    assert content(found) == FILES | {"bee/linked.png": FILES["ant/0.png"]} and not found.problems


def test_a_tar_names_links_paths_that_leave_it_and_what_comes_again(tmp_path):
    entries = [*FILES.items(), ("ant/link.png", "0.png"), ("../out.png", b"x"), ("bee/0.png", b"newer")]
    found = listed(tmp_path, "set.tar", tar_bytes(entries))
    assert content(found) == FILES | {"bee/0.png": b"newer"}
    told = {"/".join(problem.parts): problem.reason for problem in found.problems}
    assert sorted(told) == ["../out.png", "ant/link.png", "bee/0.png"]
    assert "link to 0.png" in told["ant/link.png"] and "again" in told["bee/0.png"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_zip_names_links_paths_that_leave_it_and_what_comes_again(tmp_path):
    link = zipfile.ZipInfo("ant/link.png")
    link.external_attr = 0o120777 << 16
    data = zip_bytes([*FILES.items(), (link, "0.png"), ("../out.png", b"x"), ("bee/0.png", b"newer")])
    found = listed(tmp_path, "set.zip", data)
    assert content(found) == FILES | {"bee/0.png": b"newer"}
    assert sorted("/".join(p.parts) for p in found.problems) == ["../out.png", "ant/link.png", "bee/0.png"]


def test_every_damaged_header_and_every_cut_of_a_tar_is_an_error(tmp_path):
    whole, rng = tar_bytes(FILES.items()), random.Random(0)
    headers = [i for i in range(0, len(whole), 512) if whole[i + 257 : i + 262] == b"ustar"]
    for start in headers:
        data = bytearray(whole)
        data[start + rng.randrange(100)] ^= 1 << rng.randrange(8)
        with pytest.raises(ValueError, match=r"cannot be read as an uncompressed \.tar"):
            listed(tmp_path, "set.tar", bytes(data))
    end = headers[-1] + 1024
    for stop in [512, *(rng.randrange(512, end + 1024) for _ in range(40))]:
        with pytest.raises(ValueError, match=r"cannot be read as an uncompressed \.tar"):
            listed(tmp_path, "set.tar", whole[:stop])
    assert content(listed(tmp_path, "set.tar", whole[: end + 1024])) == FILES


def test_what_follows_the_end_of_a_tar_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="follows its end"):
        listed(tmp_path, "set.tar", tar_bytes(FILES.items()) + tar_bytes([("cat/0.png", b"c")]))


def test_a_zip_is_unpacked_no_further_than_it_states(tmp_path):
    bomb = zip_bytes([("ant/0.png", bytes(50_000_000))])
    directory = bomb.rindex(b"PK\x01\x02")
    small = bytearray(bomb)
    small[directory + 24 : directory + 28] = (100_000).to_bytes(4, "little")
    (member,) = listed(tmp_path, "set.zip", bytes(small)).members
    tracemalloc.start()
    with pytest.raises(ValueError, match="size and checksum"):
        member.read()
    assert tracemalloc.get_traced_memory()[1] < 2_000_000
    tracemalloc.stop()


def test_a_zip_that_claims_what_no_packing_can_is_a_problem(tmp_path):
    data = bytearray(zip_bytes([("ant/0.png", b"a" * 100), ("ant/1.png", b"b")]))
    first = data.index(b"PK\x01\x02")
    data[first + 24 : first + 28] = (LARGEST * 8).to_bytes(4, "little")
    found = listed(tmp_path, "set.zip", bytes(data))
    assert content(found) == {"ant/1.png": b"b"}
    assert "which no packing can" in found.problems[0].reason


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_a_flipped_byte_of_a_zips_member_is_never_believed(tmp_path, method):
    whole, rng = zip_bytes(FILES.items(), method), random.Random(1)
    first = whole.index(b"PK\x01\x02")
    for _ in range(60):
        data = bytearray(whole)
        data[rng.randrange(first)] ^= 1 << rng.randrange(8)
        for member in listed(tmp_path, "set.zip", bytes(data)).members:
            try:
                assert member.read() == FILES["/".join(member.parts)]
            except (ValueError, zlib.error):
                continue


def test_a_file_that_shrank_since_it_was_listed_says_so(tmp_path):
    found = listed(tmp_path, "set.tar", tar_bytes(FILES.items()))
    os.truncate(tmp_path / "set.tar", 600)
    with pytest.raises(ValueError, match="it ends after 88 of 160 bytes"):
        found.members[0].read()
