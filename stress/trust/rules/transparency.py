"""The rule about Certificate Transparency: enough signed certificate timestamps (SCTs).

The rule counts distinct logs. Whether a log is approved today, who operates it, and whether the
SCT's signature is right would take a log list that changes every few weeks. So a client may still
reject what counts as enough here, and the finding says what was counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import msgspec

from stress.model.chain import Finding
from stress.model.outcome import Category
from stress.text.units import days
from stress.trust.policy import LONG_AGO, Settings, unix
from stress.trust.reading.der import DerError
from stress.trust.reading.extension import sct_logs
from stress.trust.rules.context import Context

_LEAST_IN_HANDSHAKE = 2
"""SCTs that suffice when sent in the handshake (Apple's path B, Chrome's policy)."""


class Timestamps(msgspec.Struct, frozen=True):
    """How many SCTs a leaf of up to this lifetime needs."""

    least: int
    most_days: int = 100_000
    issued_from: date = LONG_AGO


class TransparencySettings(Settings, frozen=True):
    """How many SCTs are required."""

    timestamps: tuple[Timestamps, ...] = ()
    """Empty: none."""
    timestamps_from: date = LONG_AGO
    """Leaves issued earlier need none."""


def timestamp_findings(context: Context) -> Iterator[Finding]:
    """A leaf under a publicly trusted root needs SCTs, depending on its lifetime."""
    settings, leaf = context.policy.settings(TransparencySettings), context.leaf
    applies = context.public and context.anchored and bool(context.issuers)
    if not applies or leaf.not_before < unix(settings.timestamps_from):
        return
    # The latest schedule in force when the leaf was issued, and in it the row for its lifetime.
    begun = [row for row in settings.timestamps if unix(row.issued_from) <= leaf.not_before]
    newest = max((row.issued_from for row in begun), default=None)
    rows = [
        row
        for row in begun
        if row.issued_from == newest and leaf.lifetime <= row.most_days * 86_400
    ]
    required = min(rows, key=lambda row: row.most_days, default=None)
    try:
        sent = set(sct_logs(context.scts)) if context.scts else set()
    except DerError:
        sent = set()
    embedded = set(leaf.sct_logs)
    if required is None or len(embedded) >= required.least or len(sent) >= _LEAST_IN_HANDSHAKE:
        return
    counted = f"{len(embedded)} SCTs embedded"
    if sent:
        counted += f" and {len(sent)} in the handshake"
    detail = f"{counted}; a lifetime of {days(leaf.lifetime)} requires {required.least}"
    yield Finding(Category.MISSING_SCT, 0, detail)


RULES = (timestamp_findings,)
