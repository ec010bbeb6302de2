"""What is known of a chain that a client's message depends on, besides the category."""

from __future__ import annotations

import re
from collections.abc import Mapping

from stress.model.chain import Verdict
from stress.model.outcome import Category
from stress.text.escape import printable
from stress.trust.reading.certificate import describe, listed_names
from stress.trust.rules.identity import literal

_MOST_NAMES = 5
_BROKEN_USAGE = re.compile(
    "odd part: keyUsage|keyUsage cannot be decoded|cannot be used, so that OpenSSL"
)


def known_of(certificates: tuple[bytes, ...], verdict: Verdict) -> Mapping[str, str]:
    """Names and values for the rows of `measured.toml`: their `when`, and their placeholders.

    Args:
        certificates: DER, as sent.
        verdict: of the client in question, for that very chain.
    """
    head, host = verdict.headline, verdict.host
    if head is None or not certificates or describe(certificates[0]).unreadable:
        return {}
    leaf = describe(certificates[0])
    common = leaf.common_name or ""
    at_fault = describe(certificates[head.position]) if head.position is not None else None
    addresses = leaf.alternative_names.addresses if leaf.alternative_names else ()
    is_address, category = literal(host) is not None, head.category
    holds = {
        "address": is_address,
        "addresses": bool(addresses),
        "nameless": not leaf.sans and common.lower() != host.lower(),
        "alone": len(certificates) == 1,
        "root-sent": category is Category.UNTRUSTED_ROOT
        and at_fault is not None
        and at_fault.self_issued,
        "usage": category is Category.WRONG_EKU and head.detail.startswith("its key is for"),
        "issuer-usage": category is Category.ISSUER_NOT_CA and "keyUsage" in head.detail,
        "no-key-id": "no authorityKeyIdentifier" in head.detail,
        "signing-leaf": head.detail.startswith("keyUsage keyCertSign, but no CA"),
        "broken-usage": bool(_BROKEN_USAGE.search(head.detail)),
    }
    values = {
        "host": printable(host, 80),
        "names": listed_names(leaf.sans, _MOST_NAMES),
        "labelled": listed_names([f"DNS:{name}" for name in leaf.sans], _MOST_NAMES),
        "common": printable(common, 80),
    }
    return values | {name: "yes" for name, found in holds.items() if found}
