"""How lack of memory shows: in exceptions, in the last words of a process, in what the kernel counts."""

from __future__ import annotations

import re
import resource
from pathlib import Path

_WORDS = re.compile(
    r"RESOURCE_EXHAUSTED|out of memory|MemoryError|std::bad_alloc|Cannot allocate memory|failed to map segment",
    re.IGNORECASE,
)
# Of threads whose stacks find no room, where addresses are limited (`ulimit -v`); else, of too many threads
_THREADS = re.compile(r"can't start new thread|Resource temporarily unavailable")

# A full disk is a resource that is exhausted, too
_DISK = re.compile(r"No space left on device|Disk quota exceeded")


def tells_out_of_memory(text: str) -> bool:
    """Whether a message or a log says that memory ran out, on the host or on a device, and not the disk."""
    limited = resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY
    told = (_WORDS, _THREADS) if limited else (_WORDS,)
    lines = [line for line in text.splitlines() if not _DISK.search(line)]
    return any(words.search(line) for line in lines for words in told)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception is of memory that ran out, on the host or on a device."""
    return isinstance(error, MemoryError) or tells_out_of_memory(str(error))


def kills_for_memory(root: Path = Path("/")) -> int:
    """How often the kernel has killed for lack of memory, on this machine or in our control group.

    0 where it does not count. One that rises while a process gets SIGKILL says why.
    """
    kept = Path("sys/fs/cgroup")
    group = {"memory.events": kept, "memory.oom_control": kept / "memory"}
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            group["memory.events"] = kept / path.lstrip("/")
        elif "memory" in controllers.split(","):
            group["memory.oom_control"] = kept / "memory" / path.lstrip("/")
    files = [root / "proc/vmstat", *(root / folder / name for name, folder in group.items())]
    found = [line.split() for file in files for line in _text(file).splitlines()]
    return sum(int(words[1]) for words in found if len(words) == 2 and words[0] == "oom_kill")


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""
