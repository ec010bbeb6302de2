"""A balancer's log is text: it costs what its size costs, and none of its bytes rules anything."""

from __future__ import annotations

import gzip
import random
from collections.abc import Mapping
from pathlib import Path

import pytest

from stress.store import open_run
from tests.strangers.doors import visit, wrongs

pytestmark = pytest.mark.slow
ESCAPES = "\x1b]0;owned\x07\x1b[2J\u202e<script>alert(1)</script>"


def hostile(lines: list[str]) -> Mapping[str, bytes]:
    """Logs by name, made of the true lines of a run."""
    true, chance = "\n".join(lines) + "\n", random.Random(3)
    named = "\n".join(one.replace("nodes/web", f"nodes/{ESCAPES}web") for one in lines)
    logs = {
        "true": true,
        "escapes": named,
        "empty": "",
        "blank": "\n \n\n",
        "escapes-only": f"{ESCAPES}\n" * 50,
        "long-line": "x" * 10_000_000,
        "long-lines": ("y" * 5_000_000 + "\n") * 4 + true,
        "hexadecimal": "a:" * 4_000_000,
        "brackets": "1.2.3.4:5 [" * 1_000_000,
        "braces": '{"ClientAddr":"' * 500_000,
        "wild-times": true.replace("2026", "9999"),
        "wild-ports": true.replace("127.0.0.1:", "127.0.0.1:" + "9" * 40),
        "other-lines": ("Server web1 is DOWN\n" * 50_000) + true,
        "many-backends": "".join(
            one.replace("nodes/web", f"nodes/{n}-{m}-web") + "\n"
            for n, one in enumerate(lines)
            for m in range(300)
        ),
        "shuffled": "\n".join(chance.sample(lines, len(lines))),
        "twice": true * 2,
    }
    made = {name: text.encode() for name, text in logs.items()}
    made["packed"] = gzip.compress(made["true"])
    made["bomb"] = gzip.compress(b"\n" * 200_000_000, 9)
    made["cut"] = made["packed"][:-20]
    made["database"] = b"SQLite format 3\0" + bytes(1_000)
    made["binary"] = chance.randbytes(100_000)
    made["mutated"] = bytes(b ^ (chance.random() < 0.001) for b in made["true"])
    return made


@pytest.mark.long
def test_every_log_is_joined_or_refused(true_run: Path, tmp_path: Path) -> None:
    with open_run(true_run) as run:
        rows = [row for row in run.records() if row.local_port]
    stamps = [(row.started_ns, row.local_port) for row in rows]
    lines = [
        f"127.0.0.1:{port} [{at / 1e9:.3f}] front nodes/web{n % 3} 1/0/5 212 -- 0/0/0/0/3 0/0"
        for n, (at, port) in enumerate(stamps)
    ]
    commands: list[list[object]] = []
    for name, log in hostile(lines).items():
        path = tmp_path / f"{name}.log"
        path.write_bytes(log)
        own = ["--results", tmp_path, "--name", name, "--html", tmp_path / f"{name}.html"]
        commands.append(["join", true_run, path, *own])

    visits = visit(commands, tmp_path)

    assert wrongs(visits, [tmp_path, true_run.parent]) == []
    codes = {Path(one.words[2]).stem: one.code for one in visits.visits}
    joined = {"true", "escapes", "long-lines", "other-lines", "shuffled", "twice", "packed"}
    assert {name for name, code in codes.items() if code == 1} >= joined
    assert set(codes.values()) <= {1, 2}
    assert all(codes[name] == 2 for name in ("empty", "blank", "bomb", "cut", "database", "binary"))
    shown = "".join(one.out + one.err for one in visits.visits)
    assert all(letter.isprintable() or letter == "\n" for letter in shown)
    for page in tmp_path.glob("*.html"):
        assert "<script>alert" not in page.read_text()
