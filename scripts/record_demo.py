"""Records what `tls-stress demo` shows on a terminal: docs/demo.svg, and the text in the README.

A real run in a pseudo-terminal of 100 columns; nothing is edited afterwards. The picture contains
no web fonts, so viewing it fetches nothing. Then Chromium takes pictures of the run's page:
docs/page.png, and docs/page-dark.png of what follows, in the dark.
"""

# ruff: noqa: INP001 - a script is no package

from __future__ import annotations

import argparse
import fcntl
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import termios
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.ansi import AnsiDecoder
from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parent.parent
COLUMNS = 100
WIDTH, HEIGHTS = 820, (1_305, 1_900)
"""Of the pictures, in pixels: up to the causes, and what follows."""
LIVE_VIEW = re.compile(r"\x1b\[\?25l.*?\x1b\[\?25h(?:[\r\n]|\x1b\[\d*[AK])*", re.DOTALL)
"""From the hidden cursor to the wiped lines."""
BEGIN, END = "<!-- recorded by scripts/record_demo.py -->\n", "<!-- end of the recording -->\n"


def main() -> None:
    """Run the demo, keep the picture and the text."""
    parser = argparse.ArgumentParser(description=__doc__, epilog="Further words go to the demo.")
    parser.add_argument("--page", metavar="RUN", help="only the pictures of the page of this run")
    asked, words = parser.parse_known_args()
    program = str(Path(sys.executable).with_name("tls-stress"))
    if asked.page:
        _picture_page([program, "report", asked.page])
        return
    command = [program, "demo", *words]
    lines = [Text.from_markup("[bold]$ tls-stress demo[/]"), *_decoded(_recorded(command))]
    (ROOT / "docs" / "demo.svg").write_text(_picture(lines))
    readme = ROOT / "README.md"
    readme.write_text(
        _with_text(readme.read_text(), "\n".join(line.plain.rstrip() for line in lines))
    )
    _picture_page([program, "report"])


def _picture_page(report: list[str]) -> None:
    """Pictures of the page that a command writes: first its answer, then in the dark the rest."""
    with TemporaryDirectory() as folder:
        page, whole = Path(folder) / "page.html", Path(folder) / "whole.png"
        made = subprocess.run(  # noqa: S603 - our own command
            [*report, "-q", "--share", "--html", page], cwd=ROOT, check=False
        )
        if not page.exists():
            sys.exit(made.returncode)
        for name, scheme, top, bottom in (
            ("page.png", 1, 0, HEIGHTS[0]),
            ("page-dark.png", 0, HEIGHTS[0], sum(HEIGHTS)),
        ):
            words = (f"--window-size={WIDTH},{bottom}", f"--screenshot={whole}", page.as_uri())
            scheme_words = f"--blink-settings=preferredColorScheme={scheme}"
            subprocess.run(  # noqa: S603 - our own command
                [
                    shutil.which("chromium") or "chromium",
                    "--headless",
                    "--no-sandbox",
                    "--hide-scrollbars",
                    scheme_words,
                    *words,
                ],
                check=True,
                stderr=subprocess.DEVNULL,
            )
            picture = Image.open(whole).crop((0, top, WIDTH, bottom))
            picture.quantize(256).save(ROOT / "docs" / name, optimize=True)


def _recorded(command: list[str]) -> str:
    """All that the command writes to its own terminal."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, COLUMNS, 0, 0))
    environment = os.environ | {"TERM": "xterm-256color"}
    with subprocess.Popen(  # noqa: S603 - our own command
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, cwd=ROOT
    ) as child:
        os.close(theirs)
        chunks = []
        while chunk := _read(ours):
            chunks.append(chunk)
    os.close(ours)
    output = b"".join(chunks).decode()
    if child.returncode != 0:
        sys.exit(output)
    return output


def _read(terminal: int) -> bytes:
    """The next bytes, none at the end (Linux says EIO when the other side is gone)."""
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""


def _decoded(output: str) -> list[Text]:
    """The final lines, without what was overwritten in place."""
    lasting = LIVE_VIEW.sub("", output)
    kept = [line.rstrip("\r").rpartition("\r")[2] for line in lasting.split("\n")]
    return list(AnsiDecoder().decode("\n".join(kept).rstrip()))


def _picture(lines: list[Text]) -> str:
    console = Console(record=True, width=COLUMNS, file=StringIO(), force_terminal=True)
    for line in lines:
        console.print(line, soft_wrap=True)
    plain = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    return console.export_svg(title="tls-stress demo", code_format=plain)


def _with_text(readme: str, text: str) -> str:
    """The README with the recording down to the tables, which are in the picture."""
    ten_lines, _, tables = text.partition("\n\n")
    text = f"{ten_lines}\n[...]\n{tables.splitlines()[-1]}"
    head, _, rest = readme.partition(BEGIN)
    return f"{head}{BEGIN}```\n{text}\n```\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    main()
