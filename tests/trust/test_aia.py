from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from stress.model.outcome import Category
from stress.trust import Judge
from stress.trust.aia import Download, Repair, certificates_in, repair
from tests.trust.certificates import AT, AUTHORITY, HOST, Wanted, authorities, chain, issue, leaf
from tests.trust.defects import good

URL = "http://ca.test/i.cer"


class Web:
    """Answers from a table; what is not in it cannot be reached."""

    def __init__(self, **pages: bytes) -> None:
        self.pages = {f"http://ca.test/{name}.cer": body for name, body in pages.items()}
        self.asked: list[str] = []

    def __call__(self, url: str) -> bytes:
        self.asked.append(url)
        if url not in self.pages:
            raise OSError("cannot be reached")
        return self.pages[url]


def repair_chains(judge: Judge, sent: tuple[bytes, ...], web: Web, policy: str = "any") -> Repair:
    return repair(judge, sent, host=HOST, at=AT, policy=policy, fetch=web)


def test_the_missing_intermediate_is_fetched_and_is_all_that_was_missing(judge: Judge) -> None:
    a = authorities()
    sent = good(issuer_url=URL)[:1]

    found = repair_chains(judge, sent, Web(i=a.intermediate.der))

    assert found.before.headline is not None
    assert found.before.headline.category is Category.INCOMPLETE_CHAIN
    assert found.complete
    assert found.added == (a.intermediate.der,)
    assert found.addresses == (URL,)
    assert found.notes == ()


def test_two_missing_intermediates_are_fetched_one_after_the_other(judge: Judge) -> None:
    a = authorities()
    upper = issue(replace(AUTHORITY, common_name="Upper"), issuer=a.root)
    lower = issue(
        replace(AUTHORITY, common_name="Lower", issuer_url="http://ca.test/u.cer"), issuer=upper
    )
    made = issue(Wanted(issuer_url=URL), issuer=lower)
    judge.meet(chain(upper))
    web = Web(i=lower.der, u=upper.der)

    found = repair_chains(judge, chain(made), web)

    assert found.complete
    assert found.added == (lower.der, upper.der)


def test_another_defect_remains_after_the_repair(judge: Judge) -> None:
    sent = good(issuer_url=URL, dns=("old.test",))[:1]

    found = repair_chains(judge, sent, Web(i=authorities().intermediate.der))

    assert not found.complete
    assert found.after.headline is not None
    assert found.after.headline.category is Category.HOSTNAME_MISMATCH


def test_a_wrong_intermediate_is_repaired_too(judge: Judge) -> None:
    made = leaf(issuer_url=URL)
    sent = chain(made, authorities().other_intermediate)

    assert repair_chains(judge, sent, Web(i=authorities().intermediate.der)).complete


def test_a_chain_that_lacks_nothing_fetches_nothing(judge: Judge) -> None:
    web = Web()

    found = repair_chains(judge, good(issuer_url=URL), web)

    assert found.complete
    assert web.asked == []


@pytest.mark.parametrize(
    ("web", "note"),
    [
        (Web(), "http://ca.test/i.cer: cannot be reached"),
        (Web(i=b"<html>"), "http://ca.test/i.cer: no certificate"),
    ],
)
def test_what_cannot_be_fetched_is_noted(judge: Judge, web: Web, note: str) -> None:
    found = repair_chains(judge, good(issuer_url=URL)[:1], web)

    assert not found.complete
    assert found.added == ()
    assert found.notes == (note,)


def test_an_address_that_gives_another_certificate_repairs_nothing(judge: Judge) -> None:
    found = repair_chains(
        judge, good(issuer_url=URL)[:1], Web(i=authorities().other_intermediate.der)
    )

    assert not found.complete
    assert found.added == ()


def test_without_a_url_nothing_is_fetched(judge: Judge) -> None:
    found = repair_chains(judge, good()[:1], Web())

    assert found.notes == ("good.test gives no http URL of its issuer",)


def test_answers_are_read_in_every_form_that_cas_use() -> None:
    der = authorities().intermediate.der
    parsed = x509.load_der_x509_certificate(der)
    forms = [
        der,
        parsed.public_bytes(Encoding.PEM),
        pkcs7.serialize_certificates([parsed], Encoding.DER),
        pkcs7.serialize_certificates([parsed], Encoding.PEM),
    ]

    assert [certificates_in(form) for form in forms] == [(der,)] * 4
    assert certificates_in(b"") == certificates_in(b"\x30\x03abc") == ()


@contextmanager
def server(answer: bytes, *, keep_open: bool = False) -> Iterator[str]:
    """A real server on loopback that gives one answer; yields its address."""
    done = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with closing(connection):
            connection.recv(4096)
            connection.sendall(answer)
            if keep_open:
                done.wait(10)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/i.cer"
    finally:
        done.set()
        thread.join(10)
        listener.close()


@contextmanager
def dripping() -> Iterator[str]:
    """A server that sends one byte of a body after the other until the client has gone."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with closing(connection), suppress(OSError):
                connection.sendall(HEAD + b"\r\n")
                while not gone.wait(0.05):
                    connection.sendall(b"x")

        gone, thread = threading.Event(), threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/i.cer"
        finally:
            gone.set()
            thread.join(10)


def download(**limits: float) -> Download:
    return Download(time.monotonic, private_too=True, **limits)  # type: ignore[arg-type]  # one float, one int


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/pkix-cert\r\n"


@pytest.mark.parametrize("keep_open", [False, True])
def test_the_body_is_returned_when_it_is_complete(keep_open: bool) -> None:
    with server(HEAD + b"Content-Length: 4\r\n\r\nbody", keep_open=keep_open) as url:
        assert download()(url) == b"body"


def test_without_a_length_the_end_of_the_connection_counts() -> None:
    with server(HEAD + b"\r\nbody") as url:
        assert download()(url) == b"body"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"HTTP/1.1 404 Not Found\r\n\r\n", "HTTP status 404"),
        (b"HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1/\r\n\r\n", "HTTP status 301"),
        (b"SSH-2.0-server\r\n", "not HTTP"),
        (b"", "not HTTP"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nbody\r\n", "not HTTP"),
        (b"HTTP/1.1 two hundred\r\n\r\n", "not HTTP"),
        (HEAD + b"\r\n" + b"x" * 65_537, "more than 65536 bytes"),
        (HEAD + b"x" * 90_000, "more than 65536 bytes"),
    ],
)
def test_any_other_answer_is_an_error_with_its_reason(answer: bytes, told: str) -> None:
    with server(answer) as url, pytest.raises(OSError, match=told):
        download()(url)


@pytest.mark.slow
def test_a_server_that_says_nothing_is_left_in_time() -> None:
    with server(b"", keep_open=True) as url, pytest.raises(TimeoutError):
        download(timeout_s=0.3)(url)


@pytest.mark.slow
def test_the_deadline_holds_over_all_reads() -> None:
    """Each byte comes well within the limit of a single read."""
    with dripping() as url, pytest.raises(TimeoutError, match=r"longer than 0\.5 s"):
        download(timeout_s=0.5)(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://ca.test/",
        "ftp://ca.test/",
        "ldap://ca.test/",
        "http://",
        "http://[::1",
        "http://ca.test:99999/",
        "http://ca.test/a b",
        "http://ca.test/\r\nX: y",
        "file:///etc/passwd",
        "",
    ],
)
def test_only_clean_http_addresses_are_fetched(url: str) -> None:
    with pytest.raises(OSError, match=r"only http|cannot be parsed"):
        download()(url)


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "10.0.0.1", "192.168.1.1", "169.254.169.254", "224.0.0.1", "[::1]"),
        *("[::ffff:127.0.0.1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]"),
    ],
)
def test_private_addresses_are_refused_unless_the_target_is_one(host: str) -> None:
    with pytest.raises(OSError, match="not a public address"):
        Download(time.monotonic)(f"http://{host}/i.cer")


def test_a_host_that_is_no_name_is_an_error() -> None:
    with pytest.raises(OSError, match=r".*"):
        download()("http://" + "x" * 64 + ".test/")


@pytest.mark.parametrize("port", [0, 22, 25, 53, 443, 1023])
def test_ports_of_other_services_are_not_contacted(port: int) -> None:
    with pytest.raises(OSError, match="not one of a web server"):
        download()(f"http://127.0.0.1:{port}/")


def test_all_downloads_together_have_a_budget() -> None:
    seconds = iter(range(0, 1000, 2))
    fetch = Download(lambda: float(next(seconds)), private_too=True, budget_s=5.0)
    reasons = []
    for _ in range(4):
        with server(HEAD + b"Content-Length: 4\r\n\r\nbody") as url:
            try:
                fetch(url)
            except OSError as error:
                reasons.append(str(error))
            with socket.create_connection(("127.0.0.1", int(url.split(":")[2].split("/")[0]))):
                pass  # so that the server's thread ends

    assert reasons[-1] == "all downloads together took 5 s"


def test_a_url_of_length_is_not_requested() -> None:
    with pytest.raises(OSError, match="only http"):
        download()("http://127.0.0.1:8080/" + "x" * 2_048)
