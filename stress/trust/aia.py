"""Shows whether a missing certificate is all that is wrong: fetches it and judges again (`--aia`).

A certificate names the URL of its issuer (caIssuers, RFC 5280 section 4.2.2.1). This module decides
what to fetch and what the result proves; the caller passes the function that fetches, so that no
verdict depends on the network. Off by default: a verdict is about the chain as sent.

The URL comes from a stranger's certificate, in a stranger's file, so `Download` does not follow it
just anywhere. Only http; only public addresses, unless the command line named a private target; the
connection goes to the very address that was checked, whatever the DNS answers next; redirects are
not followed. The port is 80 or one that ordinary programs may open (1024 and above): the others
belong to mail, name and login services, which a GET has no business with. One deadline covers
everything, also the lookup and the wait for the next single byte, and a budget covers all downloads
of a command.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from threading import Thread
from urllib.parse import urlsplit

from stress.host.addresses import is_public
from stress.model.chain import Verdict
from stress.text.escape import printable
from stress.trust.families import Judge
from stress.trust.path import OPEN
from stress.trust.reading.certificate import CertificateFacts, describe, short_name

Fetch = Callable[[str], bytes]
"""Returns the body at an http URL; raises `OSError` with a reason if it cannot."""

_MOST_FETCHES = 3
"""Certificates fetched for one chain, and URLs tried for one certificate; Apple's limits."""
_MOST_URL = 2_048


@dataclass(frozen=True, slots=True)
class Repair:
    """What fetching the missing certificates showed."""

    before: Verdict
    after: Verdict
    added: tuple[bytes, ...]
    """DER of the certificates fetched, in the order in which they follow the leaf."""
    addresses: tuple[str, ...]
    """The URLs they came from; raw."""
    notes: tuple[str, ...]
    """What went wrong, printable."""

    @property
    def complete(self) -> bool:
        """The chain is accepted with what was added: nothing else was wrong."""
        return self.after.headline is None


def repair(
    judge: Judge,
    certificates: tuple[bytes, ...],
    *,
    host: str,
    at: int,
    policy: str,
    fetch: Fetch,
) -> Repair:
    """Fetches what is missing, adds it, and judges again.

    Args:
        judge: with the anchors of the run.
        certificates: the chain as sent.
        host: as for `Judge.judge`; `at` and `policy` as well.
        at: Unix seconds.
        policy: name of a policy.
        fetch: fetches one URL; see `stress.trust.aia`.

    Raises:
        UsageError: there is no such policy.
    """
    before = judge.judge(certificates, host=host, at=at, policy=policy)
    added: list[bytes] = []
    addresses: list[str] = []
    notes: list[str] = []
    headline = before.headline
    while headline and headline.category in OPEN and len(added) < _MOST_FETCHES:
        last = judge.last_link((*certificates, *added))
        if last is None or last.self_issued:
            break
        step = next(_issuers(last, fetch, notes), None)
        if step is None or step[1] in added:
            break
        addresses.append(step[0])
        added.append(step[1])
    after = judge.judge((*certificates, *added), host=host, at=at, policy=policy)
    return Repair(before, after, tuple(added), tuple(addresses), tuple(notes))


def _issuers(
    facts: CertificateFacts, fetch: Fetch, notes: list[str]
) -> Iterator[tuple[str, bytes]]:
    """URL and DER of certificates with the name of the issuer of `facts`."""
    urls = [url for url in facts.aia_issuers if url.lower().startswith("http://")]
    if not urls:
        notes.append(f"{short_name(facts)} gives no http URL of its issuer")
    for url in urls[:_MOST_FETCHES]:
        try:
            found = certificates_in(fetch(url))
        except OSError as error:
            notes.append(f"{printable(url, 100)}: {printable(str(error), 100)}")
            continue
        for der in found:
            if describe(der).subject_name.normal == facts.issuer_name.normal:
                yield url, der
        if not found:
            notes.append(f"{printable(url, 100)}: no certificate")


def certificates_in(body: bytes) -> tuple[bytes, ...]:
    """The certificates in a response: DER, PEM or PKCS#7 (RFC 5280, 4.2.2.1). Never raises."""
    if not describe(body).unreadable:
        return (body,)
    from cryptography.hazmat.primitives.serialization import Encoding, pkcs7  # noqa: PLC0415  slow
    from cryptography.x509 import load_pem_x509_certificates  # noqa: PLC0415  slow import

    readers = (
        pkcs7.load_der_pkcs7_certificates,
        pkcs7.load_pem_pkcs7_certificates,
        load_pem_x509_certificates,
    )
    for read in readers:
        try:
            return tuple(one.public_bytes(Encoding.DER) for one in read(body))
        except (ValueError, TypeError):
            continue
    return ()


@dataclass(slots=True)
class Download:
    """Fetches one http URL: `Download(...)(url)`. Blocks; call it in a thread.

    Raises:
        OSError: when called: another scheme, a forbidden address, too slow, too large, not 200.
    """

    clock: Callable[[], float]
    """Monotonic seconds."""
    timeout_s: float = 3.0
    """For everything together; as long as Apple waits (TrustURLSessionDelegate.m)."""
    most_bytes: int = 65_536
    """Largest body; Chrome's limit (cert_issuer_source_aia.cc)."""
    private_too: bool = False
    """Loopback and private addresses are allowed: the command line named a target that has one."""
    budget_s: float = 20.0
    """For all calls together."""
    _spent_s: float = 0.0

    def __call__(self, url: str) -> bytes:
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, 80 if parts.port is None else parts.port
        except ValueError as error:
            raise OSError("the URL cannot be parsed") from error
        clean = url.isascii() and url.isprintable() and " " not in url and len(url) <= _MOST_URL
        if not clean or parts.scheme != "http" or not host:
            raise OSError("only http URLs are fetched")
        if port != 80 and port < 1024:
            raise OSError(f"port {port} is not one of a web server")
        if self._spent_s >= self.budget_s:
            raise TimeoutError(f"all downloads together took {self.budget_s:g} s")
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        named = parts.netloc.rpartition("@")[2]
        request = f"GET {path} HTTP/1.0\r\nHost: {named}\r\nAccept: */*\r\n\r\n".encode("ascii")
        found, used = Future[bytes](), list[socket.socket]()

        def download() -> None:
            try:
                found.set_result(self._get(host, port, request, used))
            except OSError as error:
                found.set_exception(error)

        # A thread, because a lookup has no limit of its own, nor have many small reads.
        begun = self.clock()
        Thread(target=download, daemon=True).start()
        try:
            return found.result(self.timeout_s)
        except TimeoutError as error:
            for connection in used:
                with suppress(OSError):  # it has just been closed
                    connection.shutdown(socket.SHUT_RDWR)  # which ends the thread
            raise TimeoutError(f"took longer than {self.timeout_s:g} s") from error
        finally:
            self._spent_s += self.clock() - begun

    def _get(self, host: str, port: int, request: bytes, used: list[socket.socket]) -> bytes:
        """Send a request to the first address of a host; the connection is added to `used`."""
        try:
            address = str(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0])
            if not self.private_too and not is_public(address.partition("%")[0]):
                raise OSError(f"{address} is not a public address (only `run --aia` may use one)")
            with socket.create_connection((address, port), self.timeout_s) as connection:
                used.append(connection)
                connection.sendall(request)
                with HTTPResponse(connection) as response:
                    response.begin()
                    body = response.read(self.most_bytes + 1)
        except UnicodeError as error:  # a label that is empty or too long
            raise OSError("the host is not a valid name") from error
        except (HTTPException, ValueError) as error:
            raise OSError(f"the response is not HTTP: {printable(str(error), 80)}") from error
        if response.status != 200:
            raise OSError(f"HTTP status {response.status}")
        if len(body) > self.most_bytes:
            raise OSError(f"more than {self.most_bytes} bytes")
        return body
