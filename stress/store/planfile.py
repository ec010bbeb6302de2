"""The plan inside the run file: JSON in `meta`, private trust anchors in a table of their own.

The anchors of a system store are many and are on every machine: of those only a fingerprint is
kept. Anchors that were given with the run are kept whole, because nobody else may have them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256

import msgspec

from stress.model.plan import Plan


def plan_text(plan: Plan) -> str:
    """The plan as JSON, without its anchors."""
    bare = replace(plan, trust=replace(plan.trust, anchors=()))
    return msgspec.json.encode(bare).decode()


def private_anchors(plan: Plan) -> tuple[bytes, ...]:
    """The anchors that must travel with the run file."""
    return plan.trust.anchors if plan.trust.private else ()


def anchors_fingerprint(plan: Plan) -> str:
    """SHA-256, as hexadecimal, over the sorted SHA-256 of all anchors."""
    prints = sorted(sha256(der).digest() for der in plan.trust.anchors)
    return sha256(b"".join(prints)).hexdigest()


def read_plan(text: str, anchors: Sequence[bytes]) -> Plan:
    """The plan as it was stored, with the anchors that were stored.

    Raises:
        msgspec.MsgspecError: the text is no plan.
    """
    plan = msgspec.json.decode(text, type=Plan)
    return replace(plan, trust=replace(plan.trust, anchors=tuple(anchors)))
