"""A served page is built once for each state of the rows, is for this machine alone, and ends by Ctrl-C."""

import http.client
import shutil
import signal
import subprocess
import sys
import threading

import pytest

from experiments import report
from scaling.reports.serve import LOOPBACK, page_server, rows_stamp
from scaling.runs.workdir import ROW


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
        made.append(rows_stamp([tmp_path]))
        return f"page {len(made)}"

    server = page_server(make, lambda: rows_stamp([tmp_path]), 0)
    assert [asked(server) for _ in range(2)] == [(200, "page 1")] * 2
    (tmp_path / "run").mkdir()
    assert asked(server) == (200, "page 1")
    (tmp_path / "run" / ROW).write_text("{}")
    assert [asked(server, "/?x") for _ in range(2)] == [(200, "page 2")] * 2


def test_no_run_yet_is_said_and_tried_again(asked):
    pages = iter([ValueError("there is no finished run."), "page"])

    def make():
        if isinstance(found := next(pages), ValueError):
            raise found
        return found

    server = page_server(make, lambda: 0, 0)
    status, text = asked(server)
    assert status == 503 and "no finished run" in text
    assert asked(server) == (200, "page")


def test_nothing_else_is_served_and_to_nobody_else(asked):
    server = page_server(lambda: "page", lambda: 0, 0)
    assert server.server_address[0] == LOOPBACK
    assert asked(server, "/../secret")[0] == asked(server, "/row.json")[0] == 404
    assert asked(server, Host="evil.example:80")[0] == 403
    assert asked(server, Host=f"localhost:{server.server_port}") == (200, "page")


def test_a_port_that_is_taken_or_for_nothing_is_refused(tmp_path):
    server = page_server(lambda: "", lambda: 0, 0)
    with server, pytest.raises(ValueError, match=f"--port={server.server_port} cannot be used"):
        page_server(lambda: "", lambda: 0, server.server_port)
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
        shutil.move(workdir.parent / others[0].name, others[0])
        assert others[0].name in page()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0
        assert process.stdout.read().endswith("stopped\n")
