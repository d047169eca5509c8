"""A page over HTTP, to this machine alone: made again where its rows have changed, for which it asks.

It differs from the file of the same study by a script that asks every few seconds, and a policy that lets it.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from scaling.reports.html import WEB

LOOPBACK = "127.0.0.1"
SECONDS = 3  # between two questions of an open page
POLICY = "default-src 'none';"  # of page.html: nothing is loaded


def page_server(make: Callable[[], str], stamp: Callable[[], str], port: int) -> ThreadingHTTPServer:
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


def stamp(sources: Sequence[Path], patterns: Sequence[str]) -> str:
    """Tells which files of these patterns lie in directories and when each was written, in a few letters."""
    paths = [path for source in sources for pattern in patterns for path in source.glob(pattern)]
    written = sorted((str(path), time) for path in paths if (time := _written(path)) is not None)
    return hashlib.sha256(repr(written).encode()).hexdigest()[:16]


def _written(path: Path) -> int | None:
    """When a file was written, in nanoseconds; None where it is gone since it was found."""
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return None


def refreshing(page: str, stamp: str) -> str:
    """A page that shows itself anew, as its reader has set it, once the server's stamp is another."""
    script = (WEB / "refresh.js").read_text()
    told = f'<script data-stamp="{stamp}" data-seconds="{SECONDS}">{script}</script>\n'
    before, body, after = page.replace(POLICY, f"{POLICY} connect-src 'self';", 1).rpartition("</body>")
    return f"{before}{told}{body}{after}"


class _Fresh:
    """A page that is made again where its stamp has changed, by one thread at a time."""

    def __init__(self, make: Callable[[], str], stamp: Callable[[], str]):
        self._make, self.stamp = make, stamp
        self._lock = threading.Lock()
        self._known: tuple[str, str] | None = None

    def text(self) -> str:
        with self._lock:
            now = self.stamp()
            if self._known is None or self._known[0] != now:
                self._known = now, refreshing(self._make(), now)
            return self._known[1]


class _Handler(BaseHTTPRequestHandler):
    """Gives the page and its stamp; another site's name for this machine is refused (DNS rebinding)."""

    fresh: _Fresh

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if self.headers.get("Host", "").rpartition(":")[0] not in (LOOPBACK, "localhost"):
            self._answer(HTTPStatus.FORBIDDEN, "text/plain", "This page is for this machine alone.")
        elif path == "/favicon.ico":
            self._answer(HTTPStatus.NO_CONTENT, "image/x-icon", "")
        elif path == "/stamp":
            self._answer(HTTPStatus.OK, "text/plain", self.fresh.stamp())
        elif path != "/":
            self._answer(HTTPStatus.NOT_FOUND, "text/plain", "There is one page here, at /.")
        else:
            self._page()

    def _page(self) -> None:
        try:
            self._answer(HTTPStatus.OK, "text/html", self.fresh.text())
        except ValueError as error:
            said = f"{error} The page appears here once there is one."
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, "text/plain", said, Refresh=str(SECONDS))

    def _answer(self, status: HTTPStatus, kind: str, text: str, **headers: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing of each request: the console tells what was built."""
