"""Rules about time: validity now, and how long a certificate may live."""

from __future__ import annotations

from collections.abc import Iterator

from stress.model.outcome import Category
from stress.model.verdict import Finding, Refusal
from stress.text.datetimes import days, instant, span
from stress.trust.path import Link
from stress.trust.policy import Lifetime, unix
from stress.trust.reading.certificate import short_name
from stress.trust.rules.context import Context


def time_findings(question: Context) -> Iterator[Finding]:
    """Every certificate of the path must be inside its validity (RFC 5280 section 6.1.3)."""
    links = question.path.links if question.policy.anchor_dates else question.below_anchor
    for link in links or question.path.links:
        yield from _outside(link, question.at)


def _outside(link: Link, at: int) -> Iterator[Finding]:
    facts = link.facts
    whose = "" if link.position == 0 else f"{short_name(facts)} "
    if at > facts.not_after:
        category = Category.EXPIRED_LEAF if link.position == 0 else Category.EXPIRED_INTERMEDIATE
        detail = f"{whose}expired {instant(facts.not_after)}, {span(at - facts.not_after)} before"
        yield Finding(category, link.position, detail)
    if at < facts.not_before:
        ahead = span(facts.not_before - at)
        detail = f"{whose}not valid before {instant(facts.not_before)}, {ahead} later"
        yield Finding(Category.NOT_YET_VALID, link.position, detail)


def lifetime_findings(question: Context) -> Iterator[Finding]:
    """The leaf's validity period must not be longer than the policy allows.

    A leaf that is itself an anchor is trusted as it is. Rules that refuse and rules that only note
    are two schedules: of each the last one that had begun when the leaf was issued counts.
    """
    if not question.anchored or not question.issuers:
        return
    for refusal in (Refusal.YES, Refusal.NO):
        rule = _in_force(question, refusal)
        if rule is not None and question.leaf.lifetime > rule.most_seconds:
            yield Finding(
                Category.LIFETIME_TOO_LONG,
                0,
                f"valid for {days(question.leaf.lifetime)}, at most {rule.most_days} d are allowed"
                f" when issued {instant(question.leaf.not_before)[:10]}",
                refusal,
            )
            return


def _in_force(question: Context, refusal: Refusal) -> Lifetime | None:
    """The latest schedule entry that had begun; files list them in order of time."""
    rules = [
        rule
        for rule in question.policy.lifetimes
        if rule.refusal is refusal
        and rule.anchors.holds(public=question.public)
        and unix(rule.issued_from) <= question.leaf.not_before
    ]
    return max(rules, key=lambda rule: rule.issued_from, default=None)
