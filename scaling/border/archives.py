"""Files in a directory, a .tar or a .zip, listed once and read at random, from any thread or process."""

from __future__ import annotations

import io
import os
import stat
import struct
import tarfile
import zipfile
from pathlib import Path, PurePosixPath

from scaling.border.folders import walk_directory
from scaling.border.members import Listing, Member, Problem, is_visible

SUFFIXES = (".tar", ".zip")
BLOCK = tarfile.BLOCKSIZE
MANY = 0xFFFF  # what a .zip states where it holds so many entries or more
LARGEST_HEADER = 2**20  # bytes of a long name or of extended headers: more is damage
# The most that deflate can pack: a .zip that claims more lies
PACKED_AT_MOST = 1032
ENCODINGS = {zipfile.ZIP_STORED: "stored", zipfile.ZIP_DEFLATED: "deflated"}


def walk(root: Path) -> Listing:
    """List a directory or an archive. ValueError for an archive that is compressed, encrypted or damaged.

    What is no plain file of its own (a link, a name with "..", a name that comes again) is a problem of the
    listing. Nothing is ever unpacked to disk.
    """
    if root.is_dir():
        return walk_directory(root)
    return _walk_tar(root) if root.suffix == ".tar" else _walk_zip(root)


def _walk_tar(root: Path) -> Listing:
    entries, folders, problems = [], [], []
    try:
        with _Archive(root) as file, tarfile.open(fileobj=file, mode="r:") as archive:
            for entry in archive:
                parts = _parts(entry.name)
                if entry.size < 0:  # the next header would lie before this one, for ever
                    raise ValueError(f"{entry.name} has {entry.size} bytes")
                if entry.isdir():
                    folders.append(parts)
                elif reason := _why_not(entry):
                    problems.append(Problem(parts, f"{root}:{entry.name}", reason))
                else:
                    entries.append(Member(parts, str(root), entry.offset_data, entry.size, "tar"))
            _check_end(file, archive.offset)
    except (tarfile.TarError, ValueError, OverflowError, IndexError, EOFError) as error:
        raise ValueError(
            f"{root} cannot be read as an uncompressed .tar ({error}). A compressed one has no random access: "
            "unpack it, or store it without compression; a damaged one must be copied again."
        ) from error
    return _listing(entries, folders, problems)


class _Archive(io.BufferedReader):
    """An open archive; whatever its headers claim, no more than LARGEST_HEADER bytes are read at once."""

    def __init__(self, path: Path):
        super().__init__(io.FileIO(path))

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or not 0 <= size <= LARGEST_HEADER:
            raise ValueError("a header claims more bytes than any has")
        return super().read(size)


def _check_end(file: _Archive, offset: int) -> None:
    """Raise ValueError unless the members end in the two blocks of zeros that say so, and nothing follows.

    `tarfile` takes a damaged header, and the end of a file that was cut, for the end of the archive.
    """
    file.seek(offset)
    first = file.read(2 * BLOCK)
    if first != bytes(2 * BLOCK):
        raise ValueError(f"a damaged header, or no end, at byte {offset}")
    while rest := file.read(LARGEST_HEADER):
        if rest.count(0) != len(rest):
            raise ValueError(f"something follows its end at byte {offset}")


def _why_not(entry: tarfile.TarInfo) -> str:
    """Say why an entry of a .tar cannot be taken, or ""."""
    if entry.issym() or entry.islnk():
        return f"a link to {entry.linkname}: pack the file itself (tar --dereference --hard-dereference)"
    return "" if entry.isreg() and not entry.issparse() else "not a plain file"


def _walk_zip(root: Path) -> Listing:
    entries, folders, problems = [], [], []
    for entry in _zip_entries(root):
        parts = _parts(entry.filename)
        if entry.filename.endswith("/"):
            folders.append(parts)
        elif not parts or not is_visible(parts):
            continue
        elif entry.compress_type not in ENCODINGS or entry.flag_bits & 1:
            raise ValueError(
                f"{root}: {entry.filename} is encrypted or not deflated: pack it again with 'zip'."
            )
        elif stat.S_ISLNK(entry.external_attr >> 16):
            problems.append(Problem(parts, f"{root}:{entry.filename}", "a link: pack the file itself"))
        elif entry.file_size > PACKED_AT_MOST * (entry.compress_size + 1):
            reason = f"claims {entry.file_size} bytes in {entry.compress_size}, which no packing can: copy it again"
            problems.append(Problem(parts, f"{root}:{entry.filename}", reason))
        else:
            told = {"size": entry.file_size, "packed": entry.compress_size, "crc": entry.CRC}
            encoding = ENCODINGS[entry.compress_type]
            entries.append(Member(parts, str(root), entry.header_offset, encoding=encoding, **told))
    return _listing(entries, folders, problems)


def _zip_entries(root: Path) -> list[zipfile.ZipInfo]:
    """The directory of a .zip; ValueError where it or the place of a member is not in the file."""
    try:
        with zipfile.ZipFile(root) as archive:
            entries = archive.infolist()
            end, stated = archive.start_dir, _stated_entries(root)
        outside = [e for e in entries if not 0 <= e.header_offset <= end - e.compress_size]
        if outside:
            raise ValueError(f"{outside[0].filename} lies outside of it")
        if stated not in (None, MANY, len(entries)):
            raise ValueError(f"it states {stated} entries and lists {len(entries)}")
    except (
        zipfile.BadZipFile,
        ValueError,
        struct.error,
        NotImplementedError,
        OverflowError,
        EOFError,
    ) as error:
        raise ValueError(f"{root} cannot be read as a .zip ({error}): copy or pack it again.") from error
    return entries


def _listing(entries: list[Member], folders: list[tuple[str, ...]], problems: list[Problem]) -> Listing:
    """Sort out what was found in an archive: of a name that comes again the last counts, as in unpacking."""
    last = {member.parts: i for i, member in enumerate(entries)}
    members = []
    for i, member in enumerate(entries):
        if ".." in member.parts:
            problems.append(Problem(member.parts, member.describe(), "a path with '..' leaves the archive"))
        elif last[member.parts] != i:
            problems.append(Problem(member.parts, member.describe(), "comes again later, which is taken"))
        elif is_visible(member.parts):
            members.append(member)
    used = {found.parts[:i] for found in (*members, *problems) for i in range(len(found.parts))}
    used |= {folder[:-1] for folder in folders}
    empty = sorted({folder for folder in folders if folder and folder not in used and is_visible(folder)})
    seen = tuple(problem for problem in problems if is_visible(problem.parts))
    return Listing(tuple(members), tuple(empty), seen)


def _stated_entries(root: Path) -> int | None:
    """How many entries the end record of a .zip states, MANY for more; None where a comment hides it."""
    with open(root, "rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - 22))
        end = file.read(22)
    return int.from_bytes(end[10:12], "little") if end.startswith(b"PK\x05\x06") else None


def _parts(name: str) -> tuple[str, ...]:
    return tuple(part for part in PurePosixPath(name).parts if part not in (".", "/"))
