"""Rules about time: validity now, and how long a certificate may be valid."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import msgspec

from stress.model.chain import Finding, Refusal
from stress.model.outcome import Category
from stress.text.escape import printable
from stress.text.units import days, instant, span
from stress.trust.policy import LONG_AGO, Scope, Settings, unix
from stress.trust.reading.certificate import short_name
from stress.trust.rules.context import Context


class Lifetime(msgspec.Struct, frozen=True):
    """The longest validity of leaves issued from a day on."""

    most_days: int
    anchors: Scope = Scope.PUBLIC
    issued_from: date = LONG_AGO
    slack_seconds: int = 0
    refusal: Refusal = Refusal.YES


class ValiditySettings(Settings, frozen=True):
    """When certificates are valid."""

    anchor_dates: bool = False
    """The anchor itself must be within its validity period."""
    last_second: bool = True
    """A certificate is still valid in the second that notAfter names."""
    late_times: bool = False
    """A time that cannot be read is refused when it is compared (else when everything is read)."""
    issued_dates: bool = False
    """The dates do not count of an issuer at the end of a path whose own issuer is not there."""
    lifetimes: tuple[Lifetime, ...] = ()


def time_findings(context: Context) -> Iterator[Finding]:
    """Every certificate of the path must be within its validity period (RFC 5280, 6.1.3)."""
    settings = context.policy.settings(ValiditySettings)
    links = context.path.links if settings.anchor_dates else context.below_anchor
    for link in links or context.path.links:
        open_end = not context.anchored and link is context.path.top and link.position != 0
        if settings.issued_dates and open_end and not link.facts.self_issued:
            continue
        facts, at, leaf = link.facts, context.at, link.position == 0
        whose = "" if leaf else f"{short_name(facts)} "
        for problem in facts.problems if settings.late_times else ():
            if problem.startswith(("notBefore", "notAfter")):
                odd = f"{whose}has an odd part: {printable(problem, 90)}"
                wrong = Category.MALFORMED_CERTIFICATE
                yield Finding(wrong, link.position, odd, check="not-yet-valid")
        if at > facts.not_after or (at == facts.not_after and not settings.last_second):
            category = Category.EXPIRED_LEAF if leaf else Category.EXPIRED_INTERMEDIATE
            ended = f"{instant(facts.not_after)}, {span(at - facts.not_after)} before"
            yield Finding(category, link.position, f"{whose}expired {ended}")
        if at < facts.not_before:
            begins = f"{instant(facts.not_before)}, {span(facts.not_before - at)} later"
            detail = f"{whose}not valid before {begins}"
            yield Finding(Category.NOT_YET_VALID, link.position, detail)


def lifetime_findings(context: Context) -> Iterator[Finding]:
    """The leaf's validity period must not be longer than the policy allows.

    A leaf that is itself an anchor is trusted as it is. Limits that reject and limits that only
    produce a note are two schedules; in each, the latest limit that was in force when the leaf was
    issued applies.
    """
    leaf = context.leaf
    if not context.anchored or not context.issuers:
        return
    in_force = [
        limit
        for limit in context.policy.settings(ValiditySettings).lifetimes
        if limit.anchors.covers(public=context.public)
        and unix(limit.issued_from) <= leaf.not_before
    ]
    for refusal in (Refusal.YES, Refusal.NO):
        schedule = [limit for limit in in_force if limit.refusal is refusal]
        limit = max(schedule, key=lambda one: one.issued_from, default=None)
        if limit and leaf.lifetime > limit.most_days * 86_400 + limit.slack_seconds:
            yield Finding(
                Category.LIFETIME_TOO_LONG,
                0,
                f"valid for {days(leaf.lifetime)}, at most {limit.most_days} d are allowed"
                f" when issued {instant(leaf.not_before)[:10]}",
                refusal,
            )
            return


RULES = (time_findings, lifetime_findings)
