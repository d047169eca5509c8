"""A served page is built once a state of the rows, asks for it, is for this machine alone, ends by Ctrl-C."""

import http.client
import re
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from experiments import report
from scaling.reports.build import PAGE
from scaling.reports.html import WEB
from scaling.reports.serve import LOOPBACK, POLICY, page_server, refreshing, stamp
from scaling.runs.workdir import ROW

ROWS = (ROW, f"*/{ROW}")


@pytest.fixture
def asked():
    """Ask a server for a path, and get its status and its text."""
    running = []

    def ask(server, path="/", **headers) -> tuple[int, str]:
        if server not in running:
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
            running.append(server)
        connection = http.client.HTTPConnection(LOOPBACK, server.server_port, timeout=10)
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    yield ask
    for server in running:
        server.shutdown()
        server.server_close()


def test_the_page_is_made_again_only_where_rows_changed(tmp_path, asked):
    made = []

    def make():
        made.append(stamp([tmp_path], ROWS))
        return f"page {len(made)}"

    server = page_server(make, lambda: stamp([tmp_path], ROWS), 0)
    first = asked(server)
    assert first[1].endswith("page 1") and asked(server) == first
    (tmp_path / "run").mkdir()
    assert asked(server) == first
    (tmp_path / "run" / ROW).write_text("{}")
    second = asked(server, "/?x")
    assert second[1].endswith("page 2") and asked(server, "/?x") == second


def test_the_stamp_is_told_and_asking_for_it_makes_no_page(tmp_path, asked):
    made = []
    server = page_server(lambda: made.append(0) or "page", lambda: stamp([tmp_path], ROWS), 0)
    before = asked(server, "/stamp")
    assert before == asked(server, "/stamp") == (200, stamp([tmp_path], ROWS)) and not made
    assert f'data-stamp="{before[1]}"' in asked(server)[1]
    (tmp_path / ROW).write_text("{}")
    after = asked(server, "/stamp")
    assert after != before and len(made) == 1
    assert f'data-stamp="{after[1]}"' in asked(server)[1] and len(made) == 2


def test_a_row_that_is_gone_before_it_is_looked_at_is_none(tmp_path, monkeypatch):
    (tmp_path / ROW).write_text("{}")
    before, glob = stamp([tmp_path], ROWS), Path.glob
    monkeypatch.setattr(Path, "glob", lambda self, pattern: [*glob(self, pattern), self / "retried" / ROW])
    assert stamp([tmp_path], ROWS) == before


def test_only_a_served_page_asks_and_only_its_server():
    """All pages on disk are of this template."""
    page, script = (WEB / "page.html").read_text(), (WEB / "refresh.js").read_text()
    assert POLICY in page and "connect-src" not in page and "refresh" not in page
    served = refreshing(page, "now")
    assert f"{POLICY} connect-src 'self';" in served and served.count(script) == 1
    assert served.index("{% block script %}") < served.index(script) < served.index("</body>")
    seconds = re.findall(r'data-seconds="(\d+)"', served)
    assert len(seconds) == 1 and 2 <= int(seconds[0]) <= 5
    bare = served.replace(" connect-src 'self';", "").replace(script, "")
    assert re.sub(r"<script data-stamp[^>]*></script>\n", "", bare) == page


def test_no_run_yet_is_said_and_tried_again(asked):
    pages = iter([ValueError("there is no finished run."), "page"])

    def make():
        if isinstance(found := next(pages), ValueError):
            raise found
        return found

    server = page_server(make, lambda: "", 0)
    status, text = asked(server)
    assert status == 503 and "no finished run" in text
    status, text = asked(server)
    assert status == 200 and text.endswith("page")


def test_nothing_else_is_served_and_to_nobody_else(asked):
    server = page_server(lambda: "page", lambda: "now", 0)
    assert server.server_address[0] == LOOPBACK
    assert asked(server, "/../secret")[0] == asked(server, "/row.json")[0] == 404
    assert {asked(server, path, Host="evil.example:80")[0] for path in ("/", "/stamp")} == {403}
    assert asked(server, Host=f"localhost:{server.server_port}") == asked(server)


def test_a_port_that_is_taken_or_for_nothing_is_refused(tmp_path):
    server = page_server(str, str, 0)
    with server, pytest.raises(ValueError, match=f"--port={server.server_port} cannot be used"):
        page_server(str, str, server.server_port)
    with pytest.raises(ValueError, match="--port=1.*give --serve"):
        report.main([f"--workdir={tmp_path}", "--port=1"])


@pytest.mark.nightly
def test_the_command_serves_the_study_until_ctrl_c(workdir):
    """One finished run at first, then all."""
    first, *others = sorted(path.parent for path in workdir.glob(f"*/{ROW}") if path.parent.name != "damaged")
    for run in others:
        shutil.move(run, workdir.parent / run.name)
    command = [sys.executable, "-m", "experiments.report", f"--workdir={workdir}", "--serve", "--port=0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        port = int(process.stdout.readline().split(":")[3].split()[0])

        def page() -> str:
            connection = http.client.HTTPConnection(LOOPBACK, port, timeout=60)
            connection.request("GET", "/")
            return connection.getresponse().read().decode()

        assert first.name in (text := page()) and others[0].name not in text
        assert "data-stamp" in text and "data-stamp" not in (workdir / PAGE).read_text()
        shutil.move(workdir.parent / others[0].name, others[0])
        assert others[0].name in page()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0
        assert process.stdout.read().endswith("stopped\n")
