"""The page on a telephone, a tablet and a desk; in the dark; its commands; without alarm."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from html import unescape
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from PIL import Image

from tests.browser.conftest import Browse, Reported

pytestmark = [pytest.mark.real("chromium"), pytest.mark.slow]
Report = Callable[[str], Reported]
WIDTHS = (390, 768, 1280)
SCENARIOS = ("round-robin-1-of-8", "mlkem-splits", "healthy")
MEASURE = """
const found = [...document.querySelectorAll("iframe")].map((frame) => {
  const page = frame.contentDocument;
  const shown = (name) => [...page.querySelectorAll(name)].map(
    (one) => frame.contentWindow.getComputedStyle(one).display);
  const cut = [...page.querySelectorAll("td, th, dd, p, figcaption")].filter(
    (one) => one.scrollWidth > one.clientWidth + 1 && !one.closest(".scroll, .command"));
  return {
    width: page.documentElement.scrollWidth, whose: shown(".whose"), wide: shown(".wide"),
    narrow: shown(".narrow"), cut: cut.map((one) => one.textContent),
    fonts: [...page.querySelectorAll("svg.plot text")].map(
      (one) => one.getBoundingClientRect().height).filter((height) => height > 0),
    copies: shown("button.copy"),
    halves: [...page.querySelectorAll(".timeline thead th")].map(
      (one) => one.getBoundingClientRect().width),
  };
});
document.title = JSON.stringify(found);
"""


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Say nothing."""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder and the address at which it is served."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path)))
    Thread(target=server.serve_forever, daemon=True).start()
    yield tmp_path, f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def framed(page: Path, folder: Path) -> str:
    """A page that shows the other one at all widths: no window is as narrow as a telephone."""
    (folder / "page.html").write_text(page.read_text())
    frames = "".join(
        f"<iframe src='page.html' style='width:{width}px;height:3000px;border:0'></iframe>"
        for width in WIDTHS
    )
    (folder / "frames.html").write_text(
        f"<body style='margin:0;white-space:nowrap;font-size:0'>{frames}"
        f"<script>addEventListener('load', () => {{{MEASURE}}})</script>"
    )
    return "frames.html"


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_nothing_is_wider_than_the_page(
    scenario: str, reported: Report, browse: Browse, folder: tuple[Path, str]
) -> None:
    name = framed(reported(scenario).page, folder[0])
    shown = browse(f"{folder[1]}/{name}", f"--window-size={sum(WIDTHS)},900", "--dump-dom")
    (title,) = re.findall("<title>(.*?)</title>", shown.dom)
    assert shown.console == []

    for width, found in zip(WIDTHS, json.loads(unescape(title)), strict=True):
        telephone = width == WIDTHS[0]
        assert found["width"] <= width
        assert found["cut"] == []
        assert set(found["whose"]) <= {"block" if telephone else "none"}
        assert set(found["wide"]) <= {"none" if telephone else "block"}
        assert set(found["narrow"]) <= {"block" if telephone else "none"}
        assert min(found["fonts"]) >= 8.0, "plots can be read"
        assert found["halves"] == pytest.approx(found["halves"][:1] * len(found["halves"]), abs=2)
        assert found["copies"]
        assert "none" not in found["copies"]


def colours(picture: Image.Image) -> dict[str, float]:
    """Which part of the pixels is red, and which is dark."""
    pixels = np.asarray(picture.convert("RGB"))
    red, others = pixels[..., 0], pixels[..., 1:].max(axis=2)
    return {
        "red": float(((red > 150) & (others < 90)).mean()),
        "dark": float((pixels.max(axis=2) < 64).mean()),
    }


@pytest.mark.parametrize("scenario", ["round-robin-1-of-8", "healthy"])
def test_the_picture_is_red_only_where_something_failed(
    scenario: str, reported: Report, browse: Browse, folder: tuple[Path, str]
) -> None:
    name, picture = framed(reported(scenario).page, folder[0]), folder[0] / "page.png"
    window = f"--window-size={sum(WIDTHS)},3000"
    browse(f"{folder[1]}/{name}", window, f"--screenshot={picture}")

    left = 0
    for width in WIDTHS:
        found = colours(Image.open(picture).crop((left, 0, left + width, 3000)))
        left += width
        assert (found["red"] > 0) is (scenario != "healthy")
        assert found["dark"] < 0.2


def test_in_the_dark_it_is_dark(reported: Report, browse: Browse, tmp_path: Path) -> None:
    picture = tmp_path / "dark.png"
    words = ("--blink-settings=preferredColorScheme=0", "--window-size=1280,3000")
    browse(reported("healthy").page, *words, f"--screenshot={picture}")
    found = colours(Image.open(picture))

    assert found["dark"] > 0.8
    assert found["red"] == 0


def test_a_button_copies_its_command_and_nothing_else(
    reported: Report, browse: Browse, tmp_path: Path
) -> None:
    """The press is a script of the test, so its copy of the page carries no policy."""
    made = reported("round-robin-1-of-8")
    press = """const button = document.querySelectorAll("button.copy")[1]; button.click();
    document.addEventListener("selectionchange", () => 0);
    document.title = getSelection().toString();"""
    lenient = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", made.page.read_text())
    copy = tmp_path / "copy.html"
    copy.write_text(lenient.replace("</body>", f"<script>{press}</script></body>"))
    dom = browse(copy, "--virtual-time-budget=2000", "--dump-dom").dom
    commands = [one["argv"] for one in json.loads(made.json)["commands"]]

    assert re.findall("<title>(.*?)</title>", dom) == [" ".join(commands[1])]
    assert dom.count(">copied</button>") == 1
