"""Writes who sees the failures: what each client family shows, and by versions of root stores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from stress.model.chain import Refusal, Verdict
from stress.model.outcome import ClientView

MEASURED = "Measured:"
"""Begins what a run has measured itself (`ten_lines`)."""
_ANSWERS = (("yes", "Fails for"), ("sometimes", "Sometimes for"), ("no", "Not for"))
_SINCE = " ≥ "
_EVERY = "every version"


def who_sees(views: Mapping[str, ClientView]) -> str:
    """Which client families fail, with the codes their users see; those that fail come first."""
    parts = []
    everybody = len(views) > 1 and all(view.fails == "yes" for view in views.values())
    for answer, words in _ANSWERS:
        named = [
            f"{family} ({view.reports})" if view.reports and answer != "no" else family
            for family, view in views.items()
            if view.fails == answer
        ]
        if named:
            who = "every client: " if everybody else ""
            parts.append(f"{words} {who}{', '.join(named)}.")
    return " ".join(parts)


def store_versions(verdicts: Iterable[Verdict], chain: bytes | None = None) -> str:
    """Which versions of root stores refuse a chain, where the answer depends on them.

    Such as `Fails on Android ≤ 13, Java < 11.0.22; accepted by newer ones.`; empty: no matter.

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
