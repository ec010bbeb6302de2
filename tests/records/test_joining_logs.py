"""A balancer's log is read by its format, or refused with what to log instead."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from stress.errors import UsageError
from stress.records.joining import chosen_format, formats, read_logs, recognised

EVER = range(1 << 62)
COMPLETE = sorted(name for name, each in formats().items() if not each.lacks)
HAPROXY = formats()["haproxy"]
Log = Callable[..., Path]


@pytest.fixture
def log(tmp_path: Path) -> Log:
    def write(*lines: str | bytes, name: str = "balancer.log") -> Path:
        path = tmp_path / name
        body = b"\n".join(one if isinstance(one, bytes) else one.encode() for one in lines)
        path.write_bytes(body + b"\n")
        return path

    return write


def haproxy(port: int, backend: str, second: str = "07.412") -> str:
    return (
        f"Dec  9 10:31:07 lb haproxy[7]: 10.0.1.2:{port} [09/Dec/2026:10:31:{second}] front "
        f"nodes/{backend} 1/0/5007 212 -- 0/0/0/0/3 0/0"
    )


@pytest.mark.parametrize("name", COMPLETE)
def test_the_example_of_a_format_is_recognised_and_read(log: Log, name: str) -> None:
    form = formats()[name]
    path = log(*[form.example] * 3)

    assert recognised([path]) == form
    lines = read_logs([path], form, frozenset({33313}), EVER)

    assert (lines.read, lines.unknown) == (3, 0)
    assert lines.port.tolist() == [33313] * 3
    assert lines.time_ns[0] // 1_000_000_000 == 1_796_812_267  # 10:31:07 UTC
    assert lines.time_ns[0] // 1_000_000 % 1000 == 412
    assert lines.clients in (["10.0.1.2"], ["192.0.2.9"])
    assert lines.backends in (["web7"], ["10.0.0.7:443"])


@pytest.mark.parametrize("name", sorted(set(formats()) - set(COMPLETE)))
def test_a_format_that_lacks_what_is_needed_is_refused_with_advice(log: Log, name: str) -> None:
    form = formats()[name]

    with pytest.raises(UsageError, match=form.lacks) as of_log:
        recognised([log(form.example)])
    with pytest.raises(UsageError, match=form.lacks) as of_name:
        chosen_format(name)
    assert of_log.value.hint == of_name.value.hint
    assert all(line in str(of_log.value.hint) for line in form.add)
    assert not re.search("--(?!accesslog)", str(of_log.value.hint))  # an option that there is not


def test_a_format_is_recognised_behind_other_lines(log: Log) -> None:
    other = log(*["Server web1 is DOWN"] * 90_000, name="old.log")

    assert recognised([other, log(haproxy(40001, "a"))]) == HAPROXY


def test_lines_of_haproxy_without_a_server_make_it_no_log_of_nginx(log: Log) -> None:
    """Without a syslog header in front its lines begin as nginx's do."""
    begin = "10.0.1.2:33313 [09/Dec/2026:10:31:07.412] front"
    failed = [f"{begin}/1: SSL handshake failure"] * 9

    form = recognised([log(*failed, f"{begin} nodes/web7 1/0/5007 212 -- 0/0/0/0/3 0/0")])

    assert form.title.startswith("HAProxy")


def test_only_ports_and_times_of_the_run_are_kept(log: Log) -> None:
    path = log(haproxy(40001, "a"), haproxy(40002, "b"), haproxy(40001, "c", "59.000"))
    second = 1_796_812_267 * 1_000_000_000

    lines = read_logs([path], HAPROXY, frozenset({40001}), range(second, second + 10**9))

    assert [lines.backends[n] for n in lines.backend] == ["a"]
    assert lines.read == 3


def test_packed_and_plain_logs_are_read_as_one(log: Log, tmp_path: Path) -> None:
    packed = tmp_path / "old.log.gz"
    packed.write_bytes(gzip.compress(f"{haproxy(40001, 'a')}\n".encode()))

    lines = read_logs([packed, log(haproxy(40002, "b"))], HAPROXY, None, EVER)

    assert lines.port.tolist() == [40001, 40002]


def test_other_lines_are_counted_and_the_first_is_shown(log: Log) -> None:
    odd = "Server \x1b[2Jnodes/web7 is DOWN"
    path = log(haproxy(40001, "a"), odd, haproxy(40002, "b", "xx"), b"x" * 10_000_000)

    lines = read_logs([path], HAPROXY, None, EVER)

    assert (lines.read, lines.unknown, len(lines.port)) == (4, 3, 1)
    assert "is DOWN" in lines.first_unknown
    assert "\x1b" not in lines.first_unknown


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("haprox", "no such format"),
        ("(?P<port>[0-9]+", "missing"),
        ("(?P<port>[0-9]+) (.*)", "no group named time or backend"),
    ],
)
def test_a_format_that_is_none_is_refused(word: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        chosen_format(word)
    assert "port" in f"{caught.value.message} {caught.value.hint}"


def test_a_time_that_cannot_be_read_is_shown(log: Log) -> None:
    form = chosen_format(r"1\.2:(?P<port>[0-9]+) (?P<time>\S+) (?P<backend>\S+)")

    lines = read_logs([log("10.0.1.2:40001 noon web1")], form, None, EVER)

    assert (lines.read, lines.unknown) == (1, 1)
    assert lines.first_unknown == "noon, which is no time"


def test_an_expression_of_the_users_own(log: Log) -> None:
    form = chosen_format(r"^(?P<time>\S+) (?P<backend>\S+) <- \S+:(?P<port>[0-9]+)$")

    lines = read_logs([log("1796812267.5 web1 <- 10.0.1.2:40001")], form, None, EVER)

    assert (lines.port[0], lines.backends, lines.time_ns[0] % 10**9) == (40001, ["web1"], 5 * 10**8)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"ab\0cd\n", "binary"),
        (b"who knows\n", "is in no known format; it begins with"),
        (b"\x1f\x8bbroken", "cannot be unpacked"),
    ],
)
def test_what_is_no_log_is_refused(tmp_path: Path, body: bytes, said: str) -> None:
    path = tmp_path / "x.log"
    path.write_bytes(body)

    with pytest.raises(UsageError, match=said):
        recognised([path])


def test_a_file_that_unpacks_to_far_more_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(b"\n" * 23_000_000))

    with pytest.raises(UsageError, match="far more"):
        read_logs([path], HAPROXY, None, EVER)


@pytest.mark.parametrize("name", COMPLETE)
@pytest.mark.parametrize("filler", [b"1:", b"[", b'"', b'{"ClientAddr":"', b"a ", b"/"])
def test_no_line_takes_a_format_more_than_linear_time(name: str, filler: bytes) -> None:
    """Quadratic time would take minutes here."""
    line = (filler * 16_000)[:16_000] + b"\n"

    assert formats()[name].compiled().findall(line * 60) == []
