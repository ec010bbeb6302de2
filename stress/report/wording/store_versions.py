"""Writes which versions of root stores refuse a chain, where its answer depends on them."""

from __future__ import annotations

from collections.abc import Iterable

from stress.model.chain import Refusal, Verdict

_SINCE = " ≥ "
_EVERY = "every version"


def store_versions(verdicts: Iterable[Verdict], chain: bytes | None = None) -> str:
    """Such as `Fails on Android ≤ 13, Java < 11.0.22; accepted by newer ones.`; empty: no matter.

    Versions that nobody has any more are left to a sentence of their own.

    Args:
        verdicts: whose findings count.
        chain: SHA-256 of the only chain that matters; None: all do.
    """
    about = [one for one in verdicts if chain is None or one.chain == chain]
    findings = [one for verdict in about for one in verdict.findings]
    listed = [one for one in findings if one.versions and _EVERY not in one.versions]
    in_use = dict.fromkeys(one.versions for one in listed if one.refusal is not Refusal.NO)
    out_of_use = dict.fromkeys(
        one.versions
        for one in listed
        if one.refusal is Refusal.NO and _SINCE not in one.versions and one.versions not in in_use
    )
    sentences = []
    if in_use:
        newer = [_SINCE in one for one in in_use]
        rest = "older" if all(newer) else "other" if any(newer) else "newer"
        sentences.append(f"Fails on {', '.join(in_use)}; accepted by {rest} ones.")
    if out_of_use:
        sentences.append(f"Fails on versions too old to count: {', '.join(out_of_use)}.")
    return " ".join(sentences)
