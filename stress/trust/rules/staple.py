"""Rules about the stapled OCSP response: is one required, is it valid, what does it say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

from stress.model.chain import Finding, Refusal
from stress.model.outcome import Category
from stress.text.units import instant
from stress.trust.policy import Settings, find_policy
from stress.trust.reading.certificate import short_name
from stress.trust.rules.context import Context

_STATUS_REQUEST = 5
"""The TLS extension that asks for a staple (RFC 6066 section 8)."""


class StapleSettings(Settings, frozen=True):
    """What a client makes of staples."""

    must_staple: Refusal = Refusal.NO
    """The effect of a missing staple that the certificate requires."""
    other_features: Refusal = Refusal.NO
    """The effect of a TLS feature that the leaf requires of its server and no server can have."""
    bad_staple: Refusal = Refusal.NO
    inherited_features: bool = False
    """What an issuer demands of servers its subjects must demand, too (RFC 7633 section 4.2.2)."""
    readable_features: bool = False
    """An issuer may have none that cannot be read."""
    revoked: Refusal = Refusal.NO
    """The effect of a staple that says "revoked"."""


@dataclass(frozen=True, slots=True)
class Staple:
    """What a response says about the leaf."""

    problem: str = ""
    """Why it is not usable, in words; empty: it is."""
    revoked_at: int | None = None
    """Unix seconds of the revocation; None: it does not say "revoked"."""


def refused_by_staple(category: str, policy: str) -> bool:
    """Whether the policy rejects what a staple (or its absence) has shown.

    Args:
        category: of an outcome; staples never lead to other categories than their own.
        policy: its name.

    Raises:
        UsageError: there is no such policy.
    """
    chosen = find_policy(policy)
    for one in [find_policy(name) for name in chosen.families] or [chosen]:
        settings = one.settings(StapleSettings)
        refusals = {
            Category.MUST_STAPLE_MISSING: settings.must_staple,
            Category.BAD_STAPLE: settings.bad_staple,
            Category.REVOKED: settings.revoked,
        }
        if refusals.get(Category(category), Refusal.NO) is not Refusal.NO:
            return True
    return False


def staple_findings(context: Context) -> Iterator[Finding]:
    """Report `must-staple-missing`, `bad-staple` and `revoked`, if the policy looks at staples.

    A staple of None was never requested (a stack without status_request). A certificate that
    requires one then gets a note only: whether the server would have sent it is not known.
    """
    settings = context.policy.settings(StapleSettings)
    others = [one for one in context.leaf.features if one != _STATUS_REQUEST]
    if others and settings.other_features is not Refusal.NO:
        detail = f"requires the TLS feature {others[0]}"
        yield Finding(Category.MUST_STAPLE_MISSING, 0, detail, settings.other_features)
    if not context.staple:
        if context.leaf.must_staple:
            requested = context.staple is not None
            why = "none was sent" if requested else "none was requested"
            detail = f"requires a staple (Must-Staple), {why}"
            refusal = settings.must_staple if requested else Refusal.NO
            yield Finding(Category.MUST_STAPLE_MISSING, 0, detail, refusal)
        return
    found = read_staple(context.staple, int(context.leaf.serial or "0", 16), context.at)
    if found.problem:
        yield Finding(Category.BAD_STAPLE, 0, found.problem, settings.bad_staple)
    if found.revoked_at is not None:
        detail = f"revoked {instant(found.revoked_at)} according to the staple"
        yield Finding(Category.REVOKED, 0, detail, settings.revoked)


def feature_findings(context: Context) -> Iterator[Finding]:
    """A certificate must demand the TLS features that its issuer demands."""
    settings = context.policy.settings(StapleSettings)
    if not settings.inherited_features:
        return
    for child, issuer in pairwise(context.path.links):
        broken = any(part.startswith("TLS feature") for part in issuer.facts.broken)
        if settings.readable_features and broken:
            detail = f"{short_name(issuer.facts)} requires TLS features that cannot be read"
            yield Finding(Category.NAME_CONSTRAINTS, issuer.position, detail, check="features")
            continue
        lacking = sorted(set(issuer.facts.features) - set(child.facts.features))
        if lacking:
            whom = "the leaf" if child.position == 0 else short_name(child.facts)
            detail = f"{short_name(issuer.facts)} requires the TLS feature {lacking[0]} of {whom}"
            yield Finding(Category.NAME_CONSTRAINTS, issuer.position, detail, check="features")


RULES = (staple_findings, feature_findings)


def read_staple(staple: bytes, serial: int, at: int) -> Staple:
    """Read a DER OCSP response (RFC 6960). Never raises. Its signature is not checked.

    Args:
        staple: the response.
        serial: the leaf's serial number.
        at: Unix seconds at which it must be valid.
    """
    from cryptography.x509 import ocsp  # noqa: PLC0415  slow import, needed late

    def unix(moment: datetime | None) -> int | None:
        return None if moment is None else int(moment.astimezone(UTC).timestamp())

    try:
        response = ocsp.load_der_ocsp_response(staple)
        if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            return Staple(f"the staple says {response.response_status.name.lower()}")
        one = next((one for one in response.responses if one.serial_number == serial), None)
        if one is None:
            return Staple("the staple is for another certificate")
        status = one.certificate_status
        revoked = status is ocsp.OCSPCertStatus.REVOKED
        revoked_at = unix(one.revocation_time_utc) if revoked else None
        since, until = unix(one.this_update_utc), unix(one.next_update_utc)
    except (ValueError, TypeError, NotImplementedError) as error:
        return Staple(f"the staple cannot be read ({type(error).__name__})")
    problem = ""
    if until is not None and at > until:
        problem = f"the staple expired {instant(until)}"
    elif since is not None and at < since:
        problem = f"the staple is not valid before {instant(since)}"
    elif status is ocsp.OCSPCertStatus.UNKNOWN:
        problem = "the staple says that the certificate is unknown"
    return Staple(problem, revoked_at)
