"""The files below a directory: each directory once, whatever links say, and regular files only."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from scaling.border.members import Listing, Member, Problem, is_visible

Parts = tuple[str, ...]


def walk_directory(root: Path) -> Listing:
    """List a directory, links followed; a directory that is there twice, pipes and the like are problems.

    Linked directories come after the real ones, so that a name is dropped for a link's sake never.
    """
    return _Walk(root).listing()


class _Walk:
    """A walk under way: what was found, the directories seen by (device, inode), and links yet to follow."""

    def __init__(self, root: Path):
        self.members: list[Member] = []
        self.empty: list[Parts] = []
        self.problems: list[Problem] = []
        self._links: list[tuple[Parts, str]] = []
        above = [root.resolve(), *root.resolve().parents]  # a link to what holds the root would list it again
        self._seen: dict[tuple[int, int], str] = {}
        for path in above[1:]:
            with contextlib.suppress(OSError):
                self._seen[_identity(os.stat(path))] = str(path)
        self._folder((), str(root))
        while self._links:
            self._folder(*self._links.pop(0))

    def listing(self) -> Listing:
        """What was found, a folder's files before those of its folders, by name."""
        self.members.sort(key=lambda member: (member.parts[:-1], member.parts[-1]))
        self.problems.sort(key=lambda problem: problem.parts)
        return Listing(tuple(self.members), tuple(sorted(self.empty)), tuple(self.problems))

    def _folder(self, parts: Parts, path: str) -> None:
        """List a directory and the real ones below it."""
        waiting = [(parts, path)]
        while waiting:
            parts, path = waiting.pop()
            try:
                identity = _identity(os.stat(path))
                if (first := self._seen.setdefault(identity, path)) != path:
                    self._refuse(
                        parts, path, f"the same directory as {first}, which is listed or holds this one"
                    )
                    continue
                with os.scandir(path) as found:
                    entries = sorted((e for e in found if is_visible((e.name,))), key=lambda e: e.name)
            except OSError as error:
                self._refuse(parts, path, f"cannot be listed ({error.strerror})")
                continue
            if not entries:
                self.empty.append(parts)
            waiting += [((*parts, e.name), e.path) for e in entries if self._is_real_folder(parts, e)]

    def _is_real_folder(self, parts: Parts, entry: os.DirEntry) -> bool:
        """Take what is a file, keep a linked directory for later, and say whether it is a directory."""
        parts = (*parts, entry.name)
        if entry.is_dir(follow_symlinks=False):
            return True
        if not entry.is_file(follow_symlinks=False):
            try:
                mode = os.stat(entry.path).st_mode
            except OSError:
                mode = stat.S_IFREG  # a link to nothing: a file that its reader cannot open, and says so
            if stat.S_ISDIR(mode):
                self._links.append((parts, entry.path))
                return False
            if not stat.S_ISREG(mode):
                self._refuse(parts, entry.path, "neither a file nor a directory")
                return False
        self.members.append(Member(parts, entry.path))
        return False

    def _refuse(self, parts: Parts, path: str, reason: str) -> None:
        self.problems.append(Problem(parts, path, reason))


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino
