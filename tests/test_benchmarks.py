"""The benchmarks' own instruments: what they count is there, and the page says what was missed."""

from __future__ import annotations

import socket
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks.clients import CLIENTS
from benchmarks.cost import run
from benchmarks.flight import Answer, answered, packet_copies
from benchmarks.handshakes import Figure
from benchmarks.limits import Search
from benchmarks.limits import page as limits_page
from benchmarks.missed import LARGEST, Missed, profile
from benchmarks.missed import section as missed_section
from benchmarks.page import Rest, missing, page
from benchmarks.records import isolated, section
from benchmarks.samples import Spent, part_of
from benchmarks.samples import section as samples_section
from benchmarks.silence import silent_port
from benchmarks.truth import Seen, read_ab, read_hey, read_wrk
from benchmarks.writing import writer_us
from stress.model.limit import Limit
from stress.model.summary import Answer as Verdict

SEEN = (Seen("ab", "10 connections", 0.002, 0.031),)
SPENT = Spent("RSA-4096", {"the kernel": 90.0, "Python": 310.0}, woken=2.0)
BUSY = "x = 0\nfor n in range(3_000_000): x += n"
PARENT = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {BUSY!r}], check=True)"


@pytest.mark.slow
def test_the_time_of_children_counts_as_the_commands_own() -> None:
    idle = run([sys.executable, "-c", "pass"])
    alone = run([sys.executable, "-c", BUSY])
    as_child = run([sys.executable, "-c", PARENT])

    assert as_child.cpu_s > alone.cpu_s / 2 > idle.cpu_s / 2


@pytest.mark.slow
def test_the_planted_causes_are_found_and_the_page_says_what_they_cost(tmp_path: Path) -> None:
    measured = isolated(60_000, tmp_path)

    assert measured.found == 2
    assert measured.cpu_s > 0.1
    assert f"| 60,000 | 5 MB | {measured.cpu_s:.1f} s |" in section([measured])


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory of a tree is read from /proc")
def test_the_memory_of_a_tree_is_sampled() -> None:
    child = "import threading; b = bytearray(60_000_000); threading.Event().wait(0.5)"
    cost = run([sys.executable, "-c", child], sample_s=0.05)

    assert cost.peak_rss_kib > 60_000_000 / 1024


def test_the_silent_server_takes_a_connection_and_says_nothing() -> None:
    with silent_port() as port, socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"anybody?")
        connection.settimeout(0.05)
        with pytest.raises(TimeoutError):
            connection.recv(1)


def test_the_packets_tell_how_long_each_answer_took() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        packet_copies(server.getsockname()[1]) as copies,
    ):
        if copies is None:
            pytest.skip("no raw sockets here")
        ports = []
        for _ in range(2):
            with (
                socket.create_connection(server.getsockname()) as ours,
                server.accept()[0] as there,
            ):
                begin_ns = time.monotonic_ns()
                for speaks, words in ((ours, b"hello"), (there, b"wait"), (there, b"answer")):
                    speaks.sendall(words)
                longest_ns = time.monotonic_ns() - begin_ns
                ours.sendall(b"thanks")
                there.sendall(b"no part of the answer")
                ports.append(ours.getsockname()[1])

        found = answered(copies, server.getsockname()[1])

        assert sorted(found) == sorted(ports)
        assert 0 < found[ports[1]] <= longest_ns
        with pytest.raises(BlockingIOError):
            copies.recv(1)


@pytest.mark.parametrize(
    ("line", "part"),
    [
        (" 71 7f278c00e051 (/usr/lib/libpython3.11.so.1.0)", "Python"),
        (" 71 55d28c00e051 (/usr/bin/python3.12)", "Python"),
        (" 71 7f278c00e051 (/a b/utls/_utls.abi3.so)", "the TLS library"),
        (" 71 ffffffff815fd2a0 ([kernel.kallsyms])", "the kernel"),
        (" 71 7f278c00e051 (/usr/lib/libc.so.6)", "the C library: above all memory"),
        (" 71 7f278c00e051 ([unknown])", "other libraries"),
        (" 70 7f278c00e051 (/usr/lib/libc.so.6)", "the parent: judges, stores, reports"),
    ],
)
def test_a_sample_belongs_to_one_part(line: str, part: str) -> None:
    assert part_of(line, parent="70") == part


@pytest.mark.parametrize(
    ("name", "output", "made"),
    [
        ("tls-stress", '{"attempts":7,"completed": 7}', 7),
        ("hey", "Status code distribution:\n  [200]\t4000 responses\n", 4000),
        ("ab", "Complete requests:      1500\nFailed requests:        0\n", 1500),
        ("openssl s_time", "1295 connections in 1.30s; 996.15 connections/user sec", 1295),
        ("wrk", "  116 requests in 2.04s, 16.31KB read", 116),
        ("h2load", "requests: 300 total, 300 started, 300 done, 299 succeeded, 1 failed", 299),
    ],
)
def test_each_client_is_read_by_its_own_word(name: str, output: str, made: int) -> None:
    (client,) = (client for client in CLIENTS if client.name == name)

    assert client.count(output) == made
    with pytest.raises(RuntimeError, match="does not say"):
        client.count("something else")


def test_the_page_shows_the_ratios_beside_what_was_promised() -> None:
    figures = [
        Figure("tls-stress", (400.0, 500.0, 450.0), started_s=0.5, handshakes=10_000),
        Figure("ab", (600.0, 800.0, 700.0), started_s=0.0, handshakes=10_000),
    ]
    answers = [Answer(1, 200.0, 50.0, 2000, 196.0), Answer(5_000, 250.0, 900.0, 6000)]
    text = page(
        [("system", "any")],
        (figures, 3, 50, samples_section([SPENT], 12.0)),
        answers,
        Rest(
            20.0, 10_000, 45.0, 4.06, (2, 1.91), [(1, 400.0), (100, 320.0), (5_000, 366.0)], 500.0
        ),
        SEEN,
    )

    assert "| `tls-stress` | 450 µs | 400 µs | 1.00 |" in text
    assert "| `tls-stress` / `ab` | 0.57 | 0.61 reached | 0.57 reached |" in text
    assert "| `tls-stress` / `hey` | not measured | 1.04 not measured | 0.97 not measured |" in text
    assert "| µs of one more handshake | RSA-4096 |\n| --- | --- |\n| the kernel | 90 |" in text
    assert "| all | 400 |\n| woken up, times | 2.0 |" in text
    assert "takes 12 ms of processor time in each second" in text
    assert "40 µs of each" in text
    assert (
        "| 1 | 200 µs | 196 µs: 1.02 | 0.8-1.2 reached | 1.00 | 0.8-1.2 reached | 50 µs | 2,000 |"
        "\n| 5,000 | 250 µs | not measured: - | 0.8-1.2 not measured | 1.25 |"
        " 0.8-1.2 **missed** | 900 µs | 6,000 |" in text
    )
    assert "| the writer, each row of a million | 4.1 µs | 5 µs | reached |" in text
    assert "| 2 processes do the work of, with a core for each | 1.91 | 1.9 | reached |" in text
    assert "| 1 | 400 µs | 1.25 | 1.35 | reached |" in text
    assert "| 5,000 | 366 µs | 1.14 | 0.9-1.1 | **missed** |" in text
    assert "against ECDSA | 1.25 | 1.2 | **missed** |" in text
    assert "| `ab` | 10 connections | 2.0 ms | 31 ms |" in text


@pytest.mark.slow
def test_a_missed_target_has_its_reason_and_its_profile_beside_it() -> None:
    parts = profile(["--help"])
    text = missed_section(
        [
            Missed("report", "1.10 s", "0.60 s", "report of few rows", parts),
            Missed("a", "2", "1"),
            Missed("b", "3", "1"),
        ]
    )

    assert len(parts) == LARGEST
    assert 0.0 < sum(share for _, share in parts) <= 1.0
    assert (
        f"* report: 1.10 s, target 0.60 s; processor time, by the profiler: `{parts[0][0]}`" in text
    )
    assert text.count("Without a known reason") == 1
    assert text.endswith("\n\n* a: 2, target 1\n* b: 3, target 1\n")


def test_what_the_page_calls_missed_is_in_the_list() -> None:
    figures = [
        Figure("tls-stress", (450.0,), started_s=0.0, handshakes=10_000),
        Figure("ab", (700.0,), started_s=0.0, handshakes=10_000),
    ]
    answers = [Answer(1, 200.0, 50.0, 2000, 160.0), Answer(5_000, 250.0, 900.0, 6000, 240.0)]
    levels = [(1, 500.0), (100, 320.0), (5_000, 330.0)]
    rest = Rest(26.0, 10_000, 45.0, 4.06, (2, 1.7), levels, 600.0)

    found = {one.what: (one.measured, one.target) for one in missing(figures, answers, rest)}

    assert found == {
        "tls-stress / ab": ("0.64", "0.57"),
        "each with 1 in flight, against 100": ("1.56", "1.35"),
        "server_ns with 1 in flight, by the packets": ("1.25", "0.8-1.2"),
        "server_ns with 5,000 in flight, against 1": ("1.25", "0.8-1.2"),
        "memory per handshake in flight, at 10,000": ("26.0 KiB", "25 KiB"),
        "2 processes do the work of, with a core for each": ("1.70", "1.9"),
        "one more handshake with a server of 300 RSA-4096 signatures a second, against ECDSA": (
            "1.33",
            "1.2",
        ),
    }


def test_the_percentiles_of_other_tools_are_read() -> None:
    hey = "Latency distribution:\n  50% in 0.0021 secs\n  99% in 0.0310 secs\n"
    newer = hey.replace("%", "%%")
    ab = "  50%      2\n  66%      3\n  99%     31\n 100%   1001 (longest request)\n"

    assert read_hey(hey) == read_hey(newer) == (0.0021, 0.031)
    assert read_ab(ab) == (0.002, 0.031)
    wrk = "  Latency Distribution\n     50%  635.00us\n     75%    1.04ms\n     99%    1.02s \n"
    assert read_wrk(wrk) == pytest.approx((0.000635, 1.02))
    for read in (read_ab, read_wrk):
        with pytest.raises(RuntimeError, match="no "):
            read(hey)


def test_the_writer_stores_each_row_that_is_timed(tmp_path: Path) -> None:
    assert writer_us(1_234, tmp_path) > 0

    with closing(sqlite3.connect(tmp_path / "writing.db")) as database:
        outcomes = database.execute(
            "SELECT outcome, count(*) FROM handshake GROUP BY outcome ORDER BY 1"
        ).fetchall()
    assert outcomes == [("ok", 1_232), ("reset", 2)]


def searched(
    sustained: float | None,
    first_failing: float | None,
    *,
    confirmed: bool = True,
    generator_limited: bool = False,
) -> Search:
    way, goal = "slow-answer", "p99.total<250ms"
    limit = Limit(goal, (), sustained, first_failing, confirmed, way, generator_limited)
    return Search("overload", 400.0, 150.0, limit, Verdict.CLEAN, 120.0)


@pytest.mark.parametrize(("sustained", "first_failing"), [(398, 406), (380, 388), (412, 420)])
def test_a_limit_is_found_when_both_its_ends_are_near(
    sustained: float, first_failing: float
) -> None:
    assert searched(sustained, first_failing).found


@pytest.mark.parametrize(
    ("search", "why"),
    [
        (searched(379, 388), "no"),
        (searched(398, 421), "no"),
        (searched(398, None), "no"),
        (searched(None, 398), "no"),
        (searched(398, 406, confirmed=False), "no: not confirmed"),
        (searched(398, 406, generator_limited=True), "no: generator-limited"),
        (Search("overload", 400.0, 150.0, None, Verdict.INVALID, 3.0), "no: invalid"),
    ],
)
def test_a_limit_that_is_far_or_unsure_is_not_found(search: Search, why: str) -> None:
    assert not search.found
    assert search.row().endswith(f"| {why} |\n")


def test_the_page_of_limits_counts_what_was_found() -> None:
    text = limits_page([searched(398, 406), searched(300, 310)])

    assert "| `overload` | 400/s | 150/s | 398/s (-0.5%) | 406/s (+1.5%) | slow-answer |" in text
    assert "`overload`: found in 1 of 2.\n" in text
