"""The name that a server gets, and what each client family makes of it."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from stress.cli.main import main
from tests.servers.certificates import HOST, Certificates

RunIt = Callable[..., Any]
pytestmark = pytest.mark.slow

LONG = ".".join(["a" * 61, *["a" * 60] * 3]) + ".lab.test"
"""253 bytes, the most that DNS allows."""
A_LABEL = "xn--bcher-kva.example"


@contextmanager
def server(certificates: Certificates, names: list[str | None]) -> Iterator[int]:
    """A server that notes the name in each hello; yields its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.full, certificates.key)
    context.sni_callback = lambda _, name, __: names.append(name)

    def serve() -> None:
        with suppress(OSError):  # the listener is closed at the end
            while True:
                peer = listener.accept()[0]
                with suppress(OSError), context.wrap_socket(peer, server_side=True) as tls:
                    tls.recv(1)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.parametrize(
    ("name", "client", "sent", "categories"),
    [
        (HOST, "python", HOST, {}),
        (f"{HOST}.", "go", f"{HOST}.", {}),
        (f"{HOST}.", "python", f"{HOST}.", {"hostname-mismatch": 3}),
        (f"{HOST}.", "curl-openssl", f"{HOST}.", {}),
        ("bücher.example", "chrome", A_LABEL, {}),
        ("BÜCHER.example", "java-17", A_LABEL, {}),
        (LONG, "generic", LONG, {}),
        (LONG.upper(), "curl-openssl", LONG, {}),
        ("none", "go", None, {"hostname-mismatch": 3}),
    ],
)
def test_the_name_is_sent_as_given_and_judged_per_client(
    name: str,
    client: str,
    sent: str | None,
    categories: dict[str, int],
    tmp_path: Path,
    tls_stress: RunIt,
) -> None:
    made, names = Certificates.make(tmp_path, names=(HOST, A_LABEL, LONG)), list[str | None]()

    with server(made, names) as port:
        words = ("--client", client, "--ca", str(made.root), "--sni", name)
        run = tls_stress(port, "-n", "3", "-c", "1", *words)

    assert names == [sent] * 3
    assert run.summary["failures"]["categories"] == categories


def test_a_name_that_is_too_long_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["run", "127.0.0.1:443", "--sni", f"x{LONG}"])

    assert code == 2
    assert "the host name of 254 bytes is longer than 253" in capsys.readouterr().err
