"""An iterator run in a thread of its own, a few items ahead of the one who takes them."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")
END = object()


def ahead(items: Generator[T, None, None], depth: int) -> Generator[T, None, None]:
    """Yield what `items` yields, in order, while the next `depth` are made in one thread.

    An error is raised in its item's place. Closing or dropping this generator ends the thread and then
    closes `items`.
    """
    try:
        with ThreadPoolExecutor(1, "ahead") as pool:
            pending = deque(pool.submit(next, items, END) for _ in range(depth))
            item: Any
            try:
                while (item := pending.popleft().result()) is not END:
                    pending.append(pool.submit(next, items, END))
                    yield item
            finally:
                for future in pending:
                    future.cancel()
    finally:
        items.close()
