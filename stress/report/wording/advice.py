"""Writes what to do about an outcome, and which clients would notice it."""

from __future__ import annotations

from collections.abc import Mapping

from stress.model.outcome import Category, Outcome
from stress.model.run import SeenChain
from stress.model.summary import ClientView
from stress.text.escape import printable
from stress.trust import fix_for, open_end

_UNFINISHED = (Category.INCOMPLETE_CHAIN, Category.WRONG_INTERMEDIATE)
LONGEST_REPORT = 48
LONGEST_URL = 200
_ANSWERS = (("yes", "Fails for"), ("sometimes", "Sometimes for"), ("no", "Not for"))


def remedy(outcome: str, chain: SeenChain | None = None) -> str:
    """What to do, as a sentence; names an issuer that was not sent, and where to get it."""
    last = open_end(chain.certificates) if chain and outcome in _UNFINISHED else None
    words = fix_for(outcome, printable(last.issuer) if last else "").rstrip(".")
    if not words:
        return ""
    fix = f"{words[:1].upper()}{words[1:]}."
    # The first address that a browser could open; certificates name files and directories too.
    for url in last.aia_issuers if last else ():
        if url.lower().startswith(("http:", "https:")):
            return f"{fix} It is available at {printable(url, LONGEST_URL)}."
    return fix


def who_sees(views: Mapping[str, ClientView]) -> str:
    """Which client families fail, with the codes their users see; one line for people."""
    parts = []
    for answer, words in _ANSWERS:
        named = [
            f"{family} ({_short(view.reports)})" if view.reports and answer != "no" else family
            for family, view in views.items()
            if view.fails == answer
        ]
        if named:
            parts.append(f"{words} {', '.join(named)}.")
    return " ".join(parts)


def _short(reports: str) -> str:
    """The code, without what follows it; the whole text is in the list of the cause."""
    text = reports.split(";", maxsplit=1)[0].split(" (", maxsplit=1)[0]
    if len(text) <= LONGEST_REPORT:
        return text
    return f"{text[:LONGEST_REPORT].rsplit(' ', 1)[0]} …"


# Each outcome as a predicate, to be read after "98 of 20,000 handshakes".

_GOT = {
    Category.INCOMPLETE_CHAIN: "got an incomplete chain",
    Category.WRONG_INTERMEDIATE: "got the wrong intermediate certificate",
    Category.EXPIRED_LEAF: "got an expired certificate",
    Category.EXPIRED_INTERMEDIATE: "got a chain with an expired intermediate certificate",
    Category.NOT_YET_VALID: "got a certificate that is not yet valid",
    Category.HOSTNAME_MISMATCH: "got a certificate for another name",
    Category.NO_SAN: "got a certificate without subject alternative names",
    Category.SELF_SIGNED: "got a self-signed certificate",
    Category.UNTRUSTED_ROOT: "got a chain to a root that is not trusted",
    Category.WEAK_SIGNATURE: "got a certificate with a weak signature",
    Category.WEAK_KEY: "got a certificate with a weak key",
    Category.LIFETIME_TOO_LONG: "got a certificate with too long a lifetime",
    Category.MISSING_EKU: "got a certificate without the server-authentication purpose (no EKU)",
    Category.WRONG_EKU: "got a certificate that is not for servers (wrong EKU)",
    Category.UNHANDLED_CRITICAL_EXTENSION: "got a certificate with an unknown critical extension",
    Category.NAME_CONSTRAINTS: "got a certificate outside its issuer's name constraints",
    Category.ISSUER_NOT_CA: "got a certificate whose issuer is not a CA",
    Category.PATH_LENGTH: "got a chain that is longer than its CA allows",
    Category.REVOKED: "got a revoked certificate",
    Category.MISSING_SCT: "got a certificate without certificate-transparency timestamps (SCTs)",
    Category.MUST_STAPLE_MISSING: "got no OCSP staple although the certificate requires one",
    Category.BAD_STAPLE: "got a bad OCSP staple",
    Category.MALFORMED_CERTIFICATE: "got a malformed certificate",
    Category.PIN_MISMATCH: "got a certificate that matches no pin",
    Category.DNS: "found no address for the name",
    Category.REFUSED: "were refused",
    Category.UNREACHABLE: "had no route to the target",
    Category.TIMEOUT_CONNECT: "timed out while connecting",
    Category.TIMEOUT_HANDSHAKE: "timed out during the handshake",
    Category.RESET: "were reset",
    Category.EOF: "were closed during the handshake",
    Category.NOT_TLS: "got an answer that is not TLS",
    Category.NO_SHARED_VERSION: "found no shared TLS version",
    Category.NO_SHARED_CIPHER: "found no shared cipher suite",
    Category.CLIENT_CERTIFICATE_REQUIRED: "were required to send a client certificate",
    Category.BAD_SIGNATURE: "got a signature that does not match the certificate",
    Category.PROTOCOL_ERROR: "got an answer that violates the protocol",
}


def got(outcome: str) -> str:
    """What the failing handshakes met, as a predicate in the plural."""
    parsed = Outcome.parse(outcome)
    if parsed.category is Category.ALERT:
        return f"were refused with alert {parsed.alert}"
    return _GOT.get(parsed.category, f"ended as {outcome}")
