"""Chains as PEM in the order sent, and what sets a bad one apart from a good one, in words."""

from __future__ import annotations

import ssl
from collections.abc import Sequence

from stress.trust import describe, differs, name_of, printable
from stress.trust.reading.instant import instant


def pem(certificates: Sequence[bytes]) -> str:
    """The certificates as PEM, in the order sent; nothing else, so that files can be compared."""
    return "".join(ssl.DER_cert_to_PEM_cert(der) for der in certificates)


def difference(
    good: tuple[bytes, ...] | None, bad: tuple[bytes, ...], problems: Sequence[str]
) -> str:
    """Both chains certificate by certificate, and the difference in a sentence.

    Args:
        good: what most others got; None: no good chain was seen.
        bad: the chain in question.
        problems: what is wrong with it, in words.
    """
    lines = ["The failing chain, as it was sent:", "", *_listed(bad)]
    if problems:
        lines += ["", "What is wrong with it:", *(f"  - {printable(each)}" for each in problems)]
    if good is None:
        return "\n".join([*lines, "", "No good chain was seen to compare it with.", ""])
    words = differs(good, bad) or "no difference: the same chain was good elsewhere"
    lines += ["", "The good chain, as it was sent:", "", *_listed(good)]
    return "\n".join([*lines, "", f"What differs: {words}.", ""])


def _listed(certificates: Sequence[bytes]) -> list[str]:
    lines = []
    for place, der in enumerate(certificates):
        facts = describe(der)
        lines.append(f"  {place}  {name_of(der)}")
        if facts.unreadable:
            lines.append(f"     cannot be read: {printable(facts.unreadable)}")
            continue
        lines += [
            f"     subject  {printable(facts.subject)}",
            f"     issuer   {printable(facts.issuer)}",
            f"     serial   {facts.serial[:64]}",
            f"     valid    {instant(facts.not_before)} to {instant(facts.not_after)}",
            f"     key      {facts.key}, signed with {facts.signature}",
            f"     sha256   {facts.sha256.hex()}",
        ]
    return lines or ["  (no certificate)"]
