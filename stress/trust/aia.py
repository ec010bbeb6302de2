"""Shows whether a missing certificate is all that is wrong: fetches it and judges again (`--aia`).

A certificate names the URL of its issuer (caIssuers, RFC 5280 section 4.2.2.1). This module decides
what to fetch and what the result proves; the caller passes the function that fetches, so that no
verdict depends on the network. Off by default: a verdict is about the chain as sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from stress.model.verdict import Verdict
from stress.text.escape import printable
from stress.trust.judge import Judge
from stress.trust.reading.certificate import CertificateFacts, describe, short_name
from stress.trust.structure import REPAIRABLE

Fetch = Callable[[str], bytes]
"""Returns the body at an http URL; raises `OSError` with a reason if it cannot."""

_MOST_FETCHES = 3
"""Certificates fetched for one chain, and URLs tried for one certificate; Apple's limits."""


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
        fetch: fetches one URL; see `stress.trust.download`.

    Raises:
        UsageError: there is no such policy.
    """
    before = judge.judge(certificates, host=host, at=at, policy=policy)
    added: list[bytes] = []
    addresses: list[str] = []
    notes: list[str] = []
    headline = before.headline
    while headline and headline.category in REPAIRABLE and len(added) < _MOST_FETCHES:
        last = judge.last_link((*certificates, *added))
        if last is None:
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
