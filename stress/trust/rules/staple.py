"""Rules about the stapled OCSP response: is one due, does it fit, what does it say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from stress.model.outcome import Category
from stress.model.verdict import Finding, Refusal
from stress.text.datetimes import instant
from stress.trust.policy import find_policy
from stress.trust.rules.context import Context

if TYPE_CHECKING:
    from cryptography.x509 import ocsp


@dataclass(frozen=True, slots=True)
class Staple:
    """What a response says about the leaf."""

    problem: str = ""
    """Why it is no good, in words; empty: it is."""
    revoked_at: int | None = None
    """Unix seconds of the revocation; None: it does not say "revoked"."""


def refused_by_staple(category: str, policy: str) -> bool:
    """Whether the policy refuses what a staple (or its absence) has shown.

    Args:
        category: of an ending; other categories than those of staples are never refused by one.
        policy: its name.

    Raises:
        UsageError: no such policy.
    """
    rules = find_policy(policy)
    asked = [find_policy(name) for name in rules.asks] or [rules]
    minds = {
        Category.MUST_STAPLE_MISSING: (one.must_staple for one in asked),
        Category.BAD_STAPLE: (one.bad_staple for one in asked),
        Category.REVOKED: (one.revoked for one in asked),
    }
    return any(one is not Refusal.NO for one in minds.get(Category(category), ()))


def staple_findings(question: Context) -> Iterator[Finding]:
    """`must-staple-missing`, `bad-staple` and `revoked`, as far as the policy looks at staples.

    None means that nobody asked (a stack without status_request): then a certificate that demands
    a staple gets a note, because whether one would have come is not known.
    """
    policy = question.policy
    if question.staple is None:
        if question.leaf.must_staple:
            detail = "demands a staple (Must-Staple); whether one comes was not asked"
            yield Finding(Category.MUST_STAPLE_MISSING, 0, detail, Refusal.NO)
        return
    if not question.staple:
        if question.leaf.must_staple:
            detail = "demands a staple (Must-Staple), none came"
            yield Finding(Category.MUST_STAPLE_MISSING, 0, detail, policy.must_staple)
        return
    said = read_staple(question.staple, int(question.leaf.serial or "0", 16), question.at)
    if said.problem:
        yield Finding(Category.BAD_STAPLE, 0, said.problem, policy.bad_staple)
    if said.revoked_at is not None:
        detail = f"revoked {instant(said.revoked_at)}, says the staple"
        yield Finding(Category.REVOKED, 0, detail, policy.revoked)


def read_staple(staple: bytes, serial: int, at: int) -> Staple:
    """Reads a DER OCSP response (RFC 6960). Never raises. Its signature is not checked.

    Args:
        staple: the response.
        serial: the leaf's serial number.
        at: Unix seconds for which it must be valid.
    """
    from cryptography.x509 import ocsp  # noqa: PLC0415  slow import, needed late

    try:
        response = ocsp.load_der_ocsp_response(staple)
        if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            return Staple(f"the staple says {response.response_status.name.lower()}")
        for one in response.responses:
            if one.serial_number == serial:
                return _single(one, at)
    except (ValueError, TypeError, NotImplementedError) as error:
        return Staple(f"the staple cannot be read ({type(error).__name__})")
    return Staple("the staple is for another certificate")


def _single(one: ocsp.OCSPSingleResponse, at: int) -> Staple:
    from cryptography.x509 import ocsp  # noqa: PLC0415  as above

    revoked = None
    if one.certificate_status is ocsp.OCSPCertStatus.REVOKED:
        revoked = _unix(one.revocation_time_utc)
    until = _unix(one.next_update_utc)
    if until is not None and at > until:
        return Staple(f"the staple expired {instant(until)}", revoked)
    since = _unix(one.this_update_utc)
    if since is not None and at < since:
        return Staple(f"the staple is not valid before {instant(since)}", revoked)
    if one.certificate_status is ocsp.OCSPCertStatus.UNKNOWN:
        return Staple("the staple says that the certificate is unknown")
    return Staple(revoked_at=revoked)


def _unix(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.astimezone(UTC).timestamp())
