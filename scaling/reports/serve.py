"""A page over HTTP, to this machine alone: made when it is asked for, again only if its rows have changed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from scaling.runs.workdir import ROW

LOOPBACK = "127.0.0.1"


def page_server(make: Callable[[], str], stamp: Callable[[], Hashable], port: int) -> ThreadingHTTPServer:
    """A server on loopback, not yet started, whose "/" is what `make` gives for the present `stamp`.

    Where `make` raises ValueError, its words are shown until it does not. Port 0 is any that is free.

    Raises:
      ValueError: where the port cannot be had.
    """
    page = _Fresh(make, stamp)

    class Handler(_Handler):
        fresh = page

    try:
        return ThreadingHTTPServer((LOOPBACK, port), Handler)
    except (OSError, OverflowError) as error:
        raise ValueError(
            f"--port={port} cannot be used ({error}): give another, or 0 for any that is free."
        ) from error


def rows_stamp(sources: Sequence[Path]) -> Hashable:
    """Which rows lie in these directories, and when each was written."""
    paths = [path for source in sources for pattern in (ROW, f"*/{ROW}") for path in source.glob(pattern)]
    return tuple(sorted((str(path), path.stat().st_mtime_ns) for path in paths))


class _Fresh:
    """A text that is made again where its stamp has changed, by one thread at a time."""

    def __init__(self, make: Callable[[], str], stamp: Callable[[], Hashable]):
        self._make, self._stamp = make, stamp
        self._lock = threading.Lock()
        self._known: tuple[Hashable, str] | None = None

    def text(self) -> str:
        with self._lock:
            now = self._stamp()
            if self._known is None or self._known[0] != now:
                self._known = now, self._make()
            return self._known[1]


class _Handler(BaseHTTPRequestHandler):
    """Gives the page and nothing else; another site's name for this machine is refused (DNS rebinding)."""

    fresh: _Fresh

    def do_GET(self) -> None:
        if self.headers.get("Host", "").rpartition(":")[0] not in (LOOPBACK, "localhost"):
            self._answer(HTTPStatus.FORBIDDEN, "text/plain", "This page is for this machine alone.")
        elif self.path.partition("?")[0] == "/favicon.ico":
            self._answer(HTTPStatus.NO_CONTENT, "image/x-icon", "")
        elif self.path.partition("?")[0] != "/":
            self._answer(HTTPStatus.NOT_FOUND, "text/plain", "There is one page here, at /.")
        else:
            self._page()

    def _page(self) -> None:
        try:
            self._answer(HTTPStatus.OK, "text/html", self.fresh.text())
        except ValueError as error:
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, "text/plain", f"{error} Reload when there is one.")

    def _answer(self, status: HTTPStatus, kind: str, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing of each request: the console tells what was built."""
