"""What to do about one way to fail, and who would notice it, in words for people."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

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
    """What to do, as a sentence; where an issuer was not sent with its name and its address."""
    last = open_end(chain.certificates) if chain and outcome in _UNFINISHED else None
    missing = printable(last.issuer) if last else ""
    words = fix_for(outcome, missing).rstrip(".")
    where = _where(last.aia_issuers) if last else ""
    return f"{words[:1].upper()}{words[1:]}.{where}" if words else ""


def _where(addresses: tuple[str, ...]) -> str:
    """The first address that a browser could open; certificates name files and directories too."""
    open_to_all = (url for url in addresses if url.lower().startswith(("http:", "https:")))
    return "".join(f" It can be had at {_url(url)}." for url in islice(open_to_all, 1))


def _url(url: str) -> str:
    return printable(url, LONGEST_URL)


def who_sees(views: Mapping[str, ClientView]) -> str:
    """Which client families fail, with the codes their users see; one line for people."""
    parts = [_family(views, answer, words) for answer, words in _ANSWERS]
    return " ".join(part for part in parts if part)


def _family(views: Mapping[str, ClientView], answer: str, words: str) -> str:
    named = [
        f"{family} ({_short(view.reports)})" if view.reports and answer != "no" else family
        for family, view in views.items()
        if view.fails == answer
    ]
    return f"{words} {', '.join(named)}." if named else ""


def _short(reports: str) -> str:
    """The code, without what follows it; the whole text is in the list of the cause."""
    text = reports.split(";", maxsplit=1)[0].split(" (", maxsplit=1)[0]
    if len(text) <= LONGEST_REPORT:
        return text
    return f"{text[:LONGEST_REPORT].rsplit(' ', 1)[0]} …"


# Plain words for each way to fail, to be read after "98 of 20,000 handshakes".

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
    Category.MISSING_EKU: "got a certificate without the server purpose (no EKU)",
    Category.WRONG_EKU: "got a certificate that is not for servers (wrong EKU)",
    Category.UNHANDLED_CRITICAL_EXTENSION: "got a certificate with an unknown critical extension",
    Category.NAME_CONSTRAINTS: "got a certificate outside its issuer's name constraints",
    Category.ISSUER_NOT_CA: "got a certificate whose issuer is no CA",
    Category.PATH_LENGTH: "got a chain that is longer than its CA allows",
    Category.REVOKED: "got a revoked certificate",
    Category.MISSING_SCT: "got a certificate without certificate-transparency proofs",
    Category.MUST_STAPLE_MISSING: "got no OCSP staple though the certificate demands one",
    Category.BAD_STAPLE: "got a bad OCSP staple",
    Category.MALFORMED_CERTIFICATE: "got a malformed certificate",
    Category.PIN_MISMATCH: "got a certificate that matches no pin",
    Category.DNS: "found no address for the name",
    Category.REFUSED: "were refused",
    Category.UNREACHABLE: "found no way to the target",
    Category.TIMEOUT_CONNECT: "timed out while connecting",
    Category.TIMEOUT_HANDSHAKE: "timed out in the handshake",
    Category.RESET: "were reset",
    Category.EOF: "were closed in the handshake",
    Category.NOT_TLS: "got an answer that is not TLS",
    Category.NO_SHARED_VERSION: "found no shared TLS version",
    Category.NO_SHARED_CIPHER: "found no shared cipher suite",
    Category.CLIENT_CERTIFICATE_REQUIRED: "were asked for a client certificate",
    Category.BAD_SIGNATURE: "got a signature that does not match the certificate",
    Category.PROTOCOL_ERROR: "got an answer that breaks the protocol",
}


def got(outcome: str) -> str:
    """What the failing handshakes met, as a predicate in the plural."""
    parsed = Outcome.parse(outcome)
    if parsed.category is Category.ALERT:
        return f"were refused with alert {parsed.alert}"
    return _GOT.get(parsed.category, f"ended as {outcome}")
