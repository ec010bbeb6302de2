import socket
from contextlib import closing
from http.client import HTTPConnection
from typing import Any

import pytest

from stress.errors import UsageError
from stress.model.run import Progress
from stress.runner.metrics import MOST_CONNECTIONS, MetricsAddress, MetricsServer

HALFWAY = Progress(15.0, 20_000, None, 10_064, 10_000, 49, 0, 0, 2, 64, 800.0, 0)


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port: int = taken.getsockname()[1]
    return port


@pytest.mark.parametrize(
    ("words", "address"),
    [
        ("9100", MetricsAddress("127.0.0.1", 9100)),
        ("0.0.0.0:9100", MetricsAddress("0.0.0.0", 9100)),
        ("[::1]:9100", MetricsAddress("::1", 9100)),
        ("65535", MetricsAddress("127.0.0.1", 65535)),
    ],
)
def test_a_port_may_have_an_address_in_front(words: str, address: MetricsAddress) -> None:
    assert MetricsAddress.parse(words) == address


@pytest.mark.parametrize(
    "words", ["", "0", "65536", "-1", "http", ":9100", "localhost:9100", "1.2.3:9100", "²", "::1"]
)
def test_what_is_no_port_is_told_before_anything_is_sent(
    words: str, ask: Any, listener: Any
) -> None:
    answer = ask("run", listener.target, "-n", "1", f"--metrics={words}")

    assert answer.code == 2
    assert "--metrics" in answer.err
    assert listener.connections() == 0


def get(port: int, accept: str = "text/plain") -> str:
    with closing(HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("GET", "/metrics", headers={"Accept": accept})
        answer = connection.getresponse()
        assert answer.status == 200
        return answer.read().decode()


@pytest.mark.slow
def test_the_last_word_of_the_run_is_served_until_it_is_over() -> None:
    port = free_port()
    server = MetricsServer(MetricsAddress("127.0.0.1", port), "x.test:443")

    assert get(port) == ""
    server.on_progress(HALFWAY)
    assert 'tls_stress_failures_total{target="x.test:443"} 49.0' in get(port)
    assert get(port, "application/openmetrics-text; version=1.0.0").endswith("# EOF\n")
    server.close()
    with pytest.raises(ConnectionRefusedError):
        get(port)


@pytest.mark.slow
def test_a_port_that_is_taken_is_told_and_leaves_no_run_file(
    ask: Any, listener: Any, tmp_path: Any
) -> None:
    words = ("run", listener.target, "-n", "1", "--policy", "none", "--results", tmp_path)
    answer = ask(*words, "--metrics", listener.target.rpartition(":")[2])

    assert answer.code == 2
    assert "cannot listen on 127.0.0.1" in answer.err
    assert listener.connections() == 0
    assert list(tmp_path.iterdir()) == []


def test_an_address_that_is_not_ours_is_told() -> None:
    with pytest.raises(UsageError, match=r"cannot listen on 192\.0\.2\.1 port 9100"):
        MetricsServer(MetricsAddress("192.0.2.1", 9100), "x.test:443")


def ask_raw(port: int, request: bytes) -> bytes:
    with closing(socket.create_connection(("127.0.0.1", port), timeout=10)) as connection:
        connection.sendall(request)
        answer = b""
        while chunk := connection.recv(65_536):
            answer += chunk
    return answer


@pytest.mark.parametrize(
    ("hosts", "status"),
    [
        (["127.0.0.1:{}"], b"200"),
        (["localhost:{}"], b"200"),
        (["LocalHost:{}"], b"200"),
        (["evil.example:{}"], b"421"),
        (["evil.example"], b"421"),
        (["127.0.0.1"], b"421"),
        (["127.0.0.1.evil.example:{}"], b"421"),
        (["127.0.0.1:{}", "evil.example"], b"421"),
        ([], b"421"),
    ],
)
def test_on_loopback_only_its_own_name_is_answered(hosts: list[str], status: bytes) -> None:
    """A web page that calls this address by a name of its own (DNS rebinding) learns nothing."""
    port = free_port()
    server = MetricsServer(MetricsAddress("127.0.0.1", port), "x.test:443")
    server.on_progress(HALFWAY)
    lines = ["GET /metrics HTTP/1.1", *(f"Host: {host.format(port)}" for host in hosts), "", ""]

    answer = ask_raw(port, "\r\n".join(lines).encode())
    server.close()

    assert answer.split()[1] == status
    assert (b"x.test" in answer) == (status == b"200")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 10_000, b"431"),
        (b"GET /" + b"x" * 100_000, b"431"),
        (b"POST / HTTP/1.1\r\n\r\n", b"405"),
        (b"\x16\x03\x01\r\n\r\n", b"405"),
    ],
)
def test_what_is_no_small_request_is_refused(request_: bytes, status: bytes) -> None:
    port = free_port()
    server = MetricsServer(MetricsAddress("127.0.0.1", port), "x.test:443")
    try:
        answer = ask_raw(port, request_)
    except ConnectionError:  # closed before all of it was read
        answer = b"- 431"
    server.close()

    assert answer.split()[1] == status


@pytest.mark.long
def test_readers_that_keep_silent_take_a_few_connections_only() -> None:
    port = free_port()
    server = MetricsServer(MetricsAddress("127.0.0.1", port), "x.test:443")
    silent = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(40)]

    ended = [connection for connection in silent[MOST_CONNECTIONS:] if connection.recv(1) == b""]

    assert len(ended) == 40 - MOST_CONNECTIONS
    for connection in silent:
        connection.close()
    server.close()
