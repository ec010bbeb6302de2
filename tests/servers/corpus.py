"""The corpus: every hostile server with the outcome and the stage that it must get."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

from stress.model.outcome import Stage
from stress.model.plan import Stack
from tests.handshake.scripted import ALERT, DATA, HANDSHAKE, alert, message, record
from tests.servers import hostile as h
from tests.servers.crooked import TEXTS
from tests.servers.hostile import AFTER, CERTIFICATE, DONE, HELLO, SERVER, Behaviour

READABLE = [kind for kind in TEXTS if kind != "no-utf8"]
NOT_ASCII = [kind for kind, text in TEXTS.items() if not text.isascii()]
HTTP = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Hostile:
    """One server, and what must become of an attempt at it."""

    name: str
    behave: Behaviour
    outcomes: tuple[str, ...]
    """The categories that are true for it."""
    stages: tuple[Stage, ...]
    openssl: tuple[tuple[str, ...], tuple[Stage, ...]] | None = None
    """The same through OpenSSL, where the libraries differ."""
    is_good: bool = False
    """A server without fault."""

    def expected(self, stack: Stack) -> tuple[tuple[str, ...], tuple[Stage, ...]]:
        """Categories and stages of one stack."""
        if stack is Stack.OPENSSL and self.openssl is not None:
            return self.openssl
        return self.outcomes, self.stages


def row(
    name: str, behave: Behaviour, outcomes: str, *stages: Stage, openssl: str | None = None
) -> Hostile:
    """A server; several outcomes are separated by spaces."""
    other = None if openssl is None else (tuple(openssl.split()), stages)
    return Hostile(name, behave, tuple(outcomes.split()), stages, other)


def ok(name: str, behave: Behaviour) -> Hostile:
    return row(name, behave, "ok", DONE)


def malformed(name: str) -> Hostile:
    return row(name, h.shows(name), "malformed-certificate", CERTIFICATE)


CORPUS: tuple[Hostile, ...] = (
    Hostile("good", h.good, ("ok",), (DONE,), is_good=True),
    row("closes at once", h.closes_at_once, "eof", HELLO),
    row("resets at accept", h.resets_at_accept, "reset", Stage.CONNECT, HELLO),
    row("resets after the hello", h.resets_after_the_hello, "reset", HELLO),
    row("resets in mid-certificate", h.resets_in_mid_certificate, "reset", SERVER),
    row("never answers", h.never_answers, "timeout-handshake", HELLO),
    row("one byte a second", h.one_byte_a_second, "timeout-handshake", HELLO),
    row("plain HTTP", h.says(HTTP), "not-tls", HELLO),
    row("SMTP banner", h.says(b"220 mx ESMTP\r\n", after_hello=False), "not-tls", HELLO),
    row("SSH banner", h.says(b"SSH-2.0-OpenSSH_9\r\n", after_hello=False), "not-tls", HELLO),
    row("random bytes", h.says(h.noise(1, b"\xaa")), "not-tls", HELLO),
    row("random bytes in a record", h.says(h.noise(2, b"\x16\x03\x03")), "protocol-error", HELLO),
    row("half a ServerHello", h.half_a_server_hello, "eof", HELLO),
    row(
        "half a ServerHello, then silence",
        h.half_a_server_hello_then_silence,
        "timeout-handshake",
        HELLO,
    ),
    row("endless records of 0 bytes", h.floods(record(HANDSHAKE, b"")), "protocol-error", HELLO),
    row(
        "a record of 16,384 bytes",
        h.says(record(HANDSHAKE, b"c" * 16_384)),
        "protocol-error",
        HELLO,
    ),
    row(
        "a record of 16,385 bytes",
        h.says(record(HANDSHAKE, b"c" * 16_385)),
        "protocol-error",
        HELLO,
    ),
    row(
        "a record of 65,535 bytes",
        h.says(record(HANDSHAKE, b"c" * 65_535)),
        "protocol-error",
        HELLO,
    ),
    row("warnings for ever", h.floods(alert(112, 1) * 1000), "protocol-error", HELLO),
    row("fatal alerts for ever", h.floods(alert(80) * 1000), "alert-80", HELLO),
    row("an alert of no number", h.says(alert(199)), "alert-199", HELLO),
    row("an empty alert", h.says(record(ALERT, b"")), "protocol-error", HELLO),
    row("data instead of a hello", h.says(record(DATA, bytes(99))), "protocol-error", HELLO),
    ok("fragments of one byte", h.fragments_of_one_byte),
    row("endless HelloRetryRequest", h.endless_retry, "protocol-error", HELLO),
    row(
        "endless HelloRequests",
        h.endless_hello_requests,
        "protocol-error",
        SERVER,
        openssl="protocol-error timeout-handshake",
    ),
    row("endless message", h.endless_message, "protocol-error", SERVER),
    row("endless ChangeCipherSpec", h.endless_change_cipher_spec, "protocol-error", SERVER),
    row("endless sealed nothing", h.endless_sealed_nothing, "protocol-error", SERVER),
    row("ServerHello twice", h.answers(h.hello_twice), "protocol-error", SERVER),
    row("done without keys", h.answers(h.done_without_keys), "protocol-error", CERTIFICATE),
    row("an extension twice in the hello", h.answers(h.extension_twice), "protocol-error", SERVER),
    row("giant ServerHello", h.answers(h.giant_server_hello), "protocol-error", HELLO, SERVER),
    row("unoffered cipher", h.answers(h.unoffered_cipher), "protocol-error", SERVER),
    row("TLS 1.0 only", h.answers(h.old_version), "no-shared-version", SERVER),
    row("TLS 1.0 only, says so", h.says(alert(70)), "no-shared-version", HELLO),
    row("wrong key", h.answers(h.wrong_key), "bad-signature", CERTIFICATE, SERVER),
    row("wrong key, TLS 1.2", h.older_flight(wrong_key=True), "bad-signature", CERTIFICATE),
    row(
        "RSA of 16,384 bits",
        h.answers(h.rsa_flight(16_384, 65_537)),
        "timeout-handshake",
        CERTIFICATE,
    ),
    row(
        "RSA exponent 1",
        h.answers(h.rsa_flight(2048, 1)),
        "malformed-certificate",
        CERTIFICATE,
        openssl="timeout-handshake",
    ),
    row(
        "RSA exponent of 60 bits",
        h.answers(h.rsa_flight(2048, (1 << 60) + 33)),
        "malformed-certificate",
        CERTIFICATE,
        openssl="timeout-handshake",
    ),
    row(
        "asks for a certificate, then refuses",
        h.answers(h.requests_a_certificate),
        "client-certificate-required",
        CERTIFICATE,
    ),
    row(
        "demands a certificate",
        h.asks_for_a_certificate(ssl.CERT_REQUIRED),
        "client-certificate-required",
        AFTER,
    ),
    ok("asks for a certificate and does without", h.asks_for_a_certificate(ssl.CERT_OPTIONAL)),
    ok(
        "asks for a certificate after the handshake",
        h.shakes_then(lambda server: server.seal(HANDSHAKE, message(13, b"\1a\0\0"))),
    ),
    ok(
        "endless tickets",
        h.shakes_then(lambda server: server.seal(HANDSHAKE, h.TICKET * 50), for_ever=True),
    ),
    ok(
        "endless data",
        h.shakes_then(lambda server: server.seal(DATA, bytes(16_000)), for_ever=True),
    ),
    row(
        "data, then an alert",
        h.shakes_then(lambda server: server.seal(DATA, b"x") + server.seal(ALERT, b"\2\x50")),
        "alert-80",
        AFTER,
    ),
    row("one megabyte", h.shows("one megabyte"), "protocol-error", SERVER, CERTIFICATE),
    row("no certificate", h.shows("no certificate"), "protocol-error", SERVER, CERTIFICATE),
    *(
        row(f"{name}, TLS 1.2", h.older_flight(name), "protocol-error", SERVER, CERTIFICATE)
        for name in ("one megabyte", "no certificate")
    ),
    *map(
        malformed, ("leaf cut short", "leaf of zeros", "empty leaf", "nested 2,000 deep", "no time")
    ),
    *map(malformed, ("no-utf8 in the subject", "no-utf8 in the issuer")),
    *(  # as Go's parser does: measured by `make oracles`
        row(name, h.shows(name), "malformed-certificate", DONE)
        for name in (
            "extension twice",
            "negative serial",
            *(f"{text} in the alternative name" for text in NOT_ASCII),
        )
    ),
    row("year 9999", h.shows("year 9999"), "lifetime-too-long", DONE),
    # Firefox reads no date before 1970 (mozilla::pkix, pkixder.cpp), measured by `make oracles`.
    row("year 1950", h.shows("year 1950"), "malformed-certificate", DONE),
    row("year 0", h.shows("year 0"), "malformed-certificate", DONE),
    # Java reads ten at most (jdk.tls.client.maxInboundCertificateChainLength), GnuTLS sixteen.
    row("one hundred certificates", h.shows("one hundred certificates"), "path-length", DONE),
    *(
        row(name, h.shows(name), "hostname-mismatch", DONE)
        for name in (f"{text} in the alternative name" for text in TEXTS if text not in NOT_ASCII)
    ),
    *(
        ok(name, h.shows(name))
        for name in (
            "giant extension",
            "ten thousand names",
            "huge serial",
            "serial zero",
            *(f"{text} in the {place}" for text in READABLE for place in ("subject", "issuer")),
        )
    ),
)
