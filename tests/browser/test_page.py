"""The page in a real browser: it renders, says what the JSON says, asks nobody, obeys nobody."""

from __future__ import annotations

import json
import re
import socketserver
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.browser.conftest import Browse, Reported

pytestmark = [pytest.mark.real("chromium"), pytest.mark.slow]
Report = Callable[[str], Reported]


class Table(HTMLParser):
    """Exact values by row, of the table with this name."""

    def __init__(self, dom: str, name: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        (inside,) = re.findall(rf'<table[^>]*data-name="{name}".*?</table>', dom, re.DOTALL)
        self.feed(inside)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "tr":
            self.rows.append([])
        elif tag == "td" and "data-value" in found:
            self.rows[-1].append(found["data-value"] or "")


def named(dom: str) -> dict[str, str]:
    """The exact figures of the page's head."""
    return dict(re.findall(r'data-name="([a-z_.]+)" data-value="([^"]+)"', dom))


def test_the_page_renders_and_its_numbers_are_those_of_the_json(
    reported: Report, browse: Browse
) -> None:
    made = reported("round-robin-1-of-8")
    summary: Any = json.loads(made.json)
    shown = browse(made.page)
    figures = named(shown.dom)

    assert shown.console == []
    assert summary["headline"].split(";")[0] in shown.dom
    assert int(figures["attempts"]) == summary["attempts"] == 400
    assert int(figures["failures.count"]) == summary["failures"]["count"] == 50
    assert float(figures["failures.share"]) == summary["failures"]["share"]
    addresses = [[int(row[0]), int(row[1])] for row in Table(shown.dom, "address").rows[1:]]
    assert addresses == [[line["attempts"], line["failures"]] for line in summary["addresses"]]
    latency = [row for row in Table(shown.dom, "latency").rows[1:] if row]
    assert [float(value) for value in latency[1]] == [
        summary["latency"]["server"][name] for name in ("p50", "p90", "p99", "p999", "max")
    ]


def test_hostile_names_change_nothing(reported: Report, browse: Browse) -> None:
    made = reported("hostile-names")
    shown = browse(made.page)

    assert shown.console == []
    assert re.findall(r"<title>(.*?)</title>", shown.dom) == [
        f"failing: {json.loads(made.json)['run']['target']} \u2013 tls-stress"
    ]
    assert shown.dom.count("<script") == 1
    assert "script&gt;" in shown.dom
    assert not re.search(
        "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]", shown.dom
    )


def test_what_somebody_adds_to_the_page_does_not_run(
    reported: Report, browse: Browse, tmp_path: Path
) -> None:
    """Also shows that the policy is obeyed, and that complaints on the console are heard."""
    text = reported("round-robin-1-of-8").page.read_text()
    added = "<script>document.title='taken'</script><img src='http://127.0.0.1:9/x'>"
    copy = tmp_path / "copy.html"
    copy.write_text(text.replace("</main>", f"{added}</main>"))

    shown = browse(copy)

    assert "<title>failing" in shown.dom
    assert len(shown.console) == 2
    assert all("Content Security Policy" in line for line in shown.console)


class Counting(socketserver.ThreadingTCPServer):
    """Serves one page and remembers what was asked."""

    daemon_threads = True

    def __init__(self, page: bytes) -> None:
        asked: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(self.path)
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write(page)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
                """Say nothing."""

        super().__init__(("127.0.0.1", 0), Handler)
        self.asked = asked


@pytest.fixture
def serve() -> Iterator[Callable[[Path], Counting]]:
    started: list[Counting] = []

    def served(page: Path) -> Counting:
        server = Counting(page.read_bytes())
        Thread(target=server.serve_forever, daemon=True).start()
        started.append(server)
        return server

    yield served
    for server in started:
        server.shutdown()
        server.server_close()


def test_no_request_leaves_the_page(
    reported: Report, browse: Browse, serve: Callable[[Path], Counting]
) -> None:
    server = serve(reported("hostile-names").page)
    shown = browse(f"http://127.0.0.1:{server.server_address[1]}/page")

    assert "Failure rate by address, client and chain" in shown.dom
    assert server.asked == ["/page"]


def test_a_heading_sorts_its_table_by_the_exact_values(
    reported: Report, browse: Browse, tmp_path: Path
) -> None:
    """The press is a script of the test, so its copy of the page carries no policy."""
    text = reported("round-robin-1-of-8").page.read_text()
    press = "document.querySelectorAll('[data-name=latency] th button')[2].click();"
    lenient = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    copy = tmp_path / "copy.html"
    copy.write_text(lenient.replace("</body>", f"<script>{press}</script></body>"))
    dom = browse(copy).dom
    (heading,) = re.findall(r'<th[^>]*aria-sort="(\w+)"', dom)
    values = [float(row[1]) for row in Table(dom, "latency").rows[1:]]

    assert heading == "descending"
    assert values == sorted(values, reverse=True)


@pytest.mark.parametrize("flag", ["--screenshot={}", "--print-to-pdf={}"])
def test_it_can_be_seen_and_printed(
    flag: str, reported: Report, browse: Browse, tmp_path: Path
) -> None:
    out = tmp_path / "out.png"
    shown = browse(reported("round-robin-1-of-8").page, flag.format(out))

    assert shown.console == []
    assert out.stat().st_size > 20_000
