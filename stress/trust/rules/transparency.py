"""The rule about Certificate Transparency: enough signed timestamps (SCTs).

What is checked is the number of distinct logs. Whether a log is approved today, who operates it
and whether the timestamp's signature is right needs a log list that changes every few weeks; so
"enough" here can still be refused by a client, and the finding says what was counted.
"""

from __future__ import annotations

from collections.abc import Iterator

from stress.model.outcome import Category
from stress.model.verdict import Finding
from stress.text.datetimes import days
from stress.trust.policy import Timestamps, unix
from stress.trust.reading.der import DerError
from stress.trust.reading.extension import sct_logs
from stress.trust.rules.context import Context

_LEAST_BY_TLS = 2
"""SCTs that suffice when they come in the handshake (Apple's path B, Chrome's policy)."""


def timestamp_findings(question: Context) -> Iterator[Finding]:
    """A leaf under a publicly known root needs SCTs, by its lifetime."""
    policy, leaf = question.policy, question.leaf
    asked = question.public and question.anchored and bool(question.issuers)
    if not asked or leaf.not_before < unix(policy.timestamps_from):
        return
    rule = _in_force(question)
    embedded, sent = set(leaf.sct_logs), _sent(question.scts)
    if rule is None or len(embedded) >= rule.least or len(sent) >= _LEAST_BY_TLS:
        return
    detail = f"{len(embedded)} SCTs embedded"
    if sent:
        detail += f" and {len(sent)} in the handshake"
    lifetime = days(leaf.lifetime)
    yield Finding(
        Category.MISSING_SCT, 0, f"{detail}; {rule.least} are asked for at a lifetime of {lifetime}"
    )


def _sent(scts: bytes | None) -> set[bytes]:
    try:
        return set(sct_logs(scts)) if scts else set()
    except DerError:
        return set()


def _in_force(question: Context) -> Timestamps | None:
    """The latest schedule that had begun, and in it the row for the leaf's lifetime."""
    leaf, table = question.leaf, question.policy.timestamps
    begun = [one for one in table if unix(one.issued_from) <= leaf.not_before]
    newest = max((one.issued_from for one in begun), default=None)
    rows = [one for one in begun if one.issued_from == newest]
    fitting = [one for one in rows if leaf.lifetime <= one.most_days * 86_400]
    return min(fitting, key=lambda one: one.most_days, default=None)
