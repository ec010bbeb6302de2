from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from itertools import cycle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stress.evidence.folder import pem, reproduce, tries
from stress.model.plan import Address, Client, Plan, StartTls
from stress.model.transcript import Transcript
from tests.evidence.conftest import HOST, plan_for, transcript

SHELLS = [shell for shell in ("dash", "bash", "busybox") if shutil.which(shell)]
NASTY = ["'; touch x; '", "$(touch x)", "`touch x`", "\n touch x", "-", 'a"b', "\\", "\x1b[2J"]


def script(failing: Transcript, plan: Plan | None = None, **other: object) -> str:
    known: dict[str, object] = {
        "failing": failing, "share": 0.5, "plan": plan or plan_for(), "sentences": ["It fails."],
    }  # fmt: skip
    return reproduce(**(known | other))  # type: ignore[arg-type]  # the case knows the fields


@pytest.mark.parametrize(
    ("share", "count"),
    [(1.0, 3), (1.5, 3), (0.9, 3), (0.125, 52), (0.001, 6905), (1e-9, 10_000), (0.0, 10_000)],
)
def test_the_tries_meet_the_share_with_99_9_percent(share: float, count: int) -> None:
    assert tries(share) == count


@pytest.mark.parametrize("nasty", NASTY)
def test_hostile_text_stays_text(nasty: str, tmp_path: Path) -> None:
    """Run up to its first check with a tool that does not exist: only assignments and functions."""
    plan = plan_for(
        server_name=nasty, client_certificate=nasty, client_key=nasty, proxy_protocol=nasty,
        clients=(Client(nasty, cannot_express=("x",)),),
    )  # fmt: skip
    file = tmp_path / "reproduce.sh"
    file.write_text(script(transcript("eof"), plan, sentences=[nasty]))

    for shell in SHELLS:
        words = [shell, "sh"] if shell == "busybox" else [shell]
        checked = subprocess.run(
            [*words, "-n", str(file)], capture_output=True, check=False, text=True
        )
        assert (checked.returncode, checked.stderr) == (0, "")
    ran = subprocess.run(["sh", str(file), "nothing"], capture_output=True, check=False, text=True)
    assert ran.returncode == 2
    assert "usage" in ran.stderr
    assert list(tmp_path.iterdir()) == [file]


@given(st.text(max_size=40))
def test_any_text_leaves_the_comments_comments(text: str) -> None:
    lines = script(transcript("eof"), sentences=[text]).splitlines()

    head = lines[: lines.index("tool=${1:-openssl}")]
    assert all(line.startswith("#") or not line for line in head)


@pytest.mark.parametrize(
    ("client", "plan", "openssl", "curl"),
    [
        (Client("a"), {}, f"-servername {HOST}", f"https://{HOST}:8443/"),
        (Client("a", versions=(0x0303,)), {}, "-tls1_2", "--tls-max 1.2"),
        (Client("a", versions=(0x0304,)), {}, "-tls1_3", "--tlsv1.3"),
        (Client("a", versions=(0x0303, 0x0302)), {}, "-no_tls1_3", "--tls-max 1.2"),
        (Client("a", versions=(0x0301,)), {}, "-tls1 ", "--tls-max 1.0"),
        (Client("a", server_name=False), {}, "-noservername", "https://198.51.100.7:8443/"),
        (Client("a"), {"server_name": None}, "-noservername", "https://198.51.100.7:8443/"),
        (Client("a"), {"proxy_protocol": "v1"}, "PROXY header first", "--haproxy-protocol"),
        (Client("a"), {"starttls": StartTls.SIEVE}, "-starttls sieve", "[openssl] [TRIES]"),
        (Client("a"), {"starttls": StartTls.XMPP}, f"-xmpphost {HOST}", "openssl) ;;"),
        (Client("a"), {"client_certificate": "me.pem"}, "set CERTIFICATE and KEY", "--cert"),
    ],
)
def test_it_asks_as_the_client_did(
    client: Client, plan: dict[str, object], openssl: str, curl: str
) -> None:
    text = script(transcript("eof"), plan_for(clients=(client,), **plan))

    assert openssl in text
    assert curl in text
    assert "-connect 198.51.100.7:8443" in text


def test_an_ipv6_address_is_bracketed() -> None:
    six = replace(transcript("eof"), address=Address("2001:db8::7", 443), local_ip="::1")

    text = script(six, plan_for(server_name=None))

    assert "-connect '[2001:db8::7]:443'" in text
    assert "https://[2001:db8::7]:443/" in text


def test_it_names_no_path_of_a_run_file() -> None:
    text = script(transcript("eof"), plan_for(client_certificate="/secret/jane.pem"))

    assert "jane" not in text
    assert "set CERTIFICATE and KEY" in text


@pytest.mark.parametrize(
    ("outcome", "row", "sign"),
    [
        ("incomplete-chain", {"chain": bytes(32)}, '= "$wanted" ]'),
        ("incomplete-chain", {}, "'^exit [1-9]'"),
        ("alert-112", {}, "'alert number 112$'"),
        ("client-certificate-required", {"stage": 6}, "sleep 1 |"),
        ("reset", {}, "'^handshake 0.000000$'"),
        ("bad-signature", {"chain": bytes(32)}, "'^exit [1-9]'"),
    ],
)
def test_a_failure_is_recognised_by_its_kind(
    outcome: str, row: dict[str, object], sign: str
) -> None:
    assert sign in script(transcript(outcome, **row))


@pytest.fixture
def server(server_files: dict[str, Path]) -> Iterator[Address]:
    """Every third connection gets the leaf alone, as every fourth is closed without an answer."""
    contexts = []
    for name in ("whole", "whole", "alone"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(server_files[name])
        contexts.append(context)
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        threading.Thread(target=_serve, args=(listener, contexts), daemon=True).start()
        yield Address(*listener.getsockname()[:2])


def _serve(listener: socket.socket, contexts: Sequence[ssl.SSLContext]) -> None:
    for context in cycle([*contexts, None]):
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection, suppress(OSError):
            connection.settimeout(5)
            if context is None:
                connection.recv(4096)
                continue
            with context.wrap_socket(connection, server_side=True) as secure:
                secure.recv(1)


@pytest.mark.real("openssl", "curl")
@pytest.mark.parametrize("tool", ["openssl", "curl"])
@pytest.mark.parametrize(
    ("outcome", "chain", "code"),
    [("incomplete-chain", "alone", 0), ("expired-leaf", "other", 1), ("eof", None, 0)],
)
def test_it_exits_0_when_the_failure_showed_and_only_then(
    tool: str,
    outcome: str,
    chain: str | None,
    code: int,
    server: Address,
    server_files: dict[str, Path],
    tmp_path: Path,
) -> None:
    row = {"chain": bytes(32)} if chain else {}
    failing = replace(transcript(outcome, **row), address=server, local_ip="127.0.0.1")
    (tmp_path / "reproduce.sh").write_text(script(failing))
    text, footer, _ = server_files["alone"].read_text().partition("-----END CERTIFICATE-----")
    leaf = ssl.PEM_cert_to_DER_cert(text + footer)
    (tmp_path / "chain-failing.pem").write_text(pem((leaf,) if chain == "alone" else (leaf, leaf)))

    ran = subprocess.run(
        ["sh", str(tmp_path / "reproduce.sh"), tool, "8"],
        capture_output=True,
        check=False,
        text=True,
    )

    assert (ran.returncode, ran.stderr) == (code, "" if code == 0 else ran.stderr)
    assert ("reproduced with" in ran.stdout) is (code == 0)
