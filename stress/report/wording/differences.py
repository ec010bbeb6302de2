"""Writes what differs or is slow while nothing fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stress.model.attributes import listed, place
from stress.model.claims import Claim
from stress.model.summary import INCONSISTENCY, LATENCY, Cause, Quantiles
from stress.text.numbers import milliseconds, of, rate, seconds, thousands
from stress.text.templates import read_texts

SLOW_US = 1_000_000
"""A run whose 99th percentile is as slow has something to mend, even if nothing failed."""
_MEDIAN = 50.0


def negotiated(claim: Claim) -> str:
    """Which answers one client was given, how often each, and where the odd ones are."""
    answers = [
        f"{value} in {of(count, claim.total.attempts)}" for value, count in claim.values.items()
    ]
    where = f"; the odd ones are {place(claim.conditions)}" if claim.conditions else ""
    text = _words("negotiated")[claim.category]
    refused = of(claim.total.failures, claim.total.attempts)
    return f"{text.format(answers=listed(answers), refused=refused)}{where}."


def slow(claim: Claim, what: str = "Handshakes") -> str:
    """Which handshakes, or attempts of other records, take longer than others, and by how much."""
    words, shift, stalls, ceiling = _words("slow"), claim.shift, claim.stalls, claim.ceiling
    if ceiling is not None:
        return (
            words["ceiling"].format(
                place=f" {place(claim.conditions)}" if claim.conditions else "",
                per_s=rate(ceiling.per_s),
                low=f"{ceiling.low:.3g}",
                high=f"{ceiling.high:.3g}",
                offered=rate(ceiling.offered_per_s),
                wait=_ms(ceiling.wait_us),
            )
            + "."
        )
    if stalls is not None:
        return (
            words["stalls"].format(
                count=thousands(stalls.count),
                typical=_ms(stalls.typical_us),
                waited=of(claim.inside.attempts, claim.inside.attempts + claim.elsewhere.attempts),
                slow=_ms(stalls.slow_us),
            )
            + "."
        )
    assert shift is not None
    median = shift.percentile == _MEDIAN
    text = words["shift"].format(
        what=what,
        place=place(claim.conditions),
        percentile="median" if median else "90th percentile",
        there=_ms(shift.there_us),
        elsewhere=_ms(shift.elsewhere_us),
        low=shift.low,
        high=shift.high,
    )
    also = next((way for way in claim.aliases if way), ())
    return f"{text}{f'; these are also exactly those {place(also)}' if also else ''}."


def tail(latency: Mapping[str, Quantiles]) -> str:
    """That some handshakes take very long, although none failed; empty when they do not.

    What our own lag explains is no finding about the target.
    """
    whole, lag = latency.get("total"), latency.get("lag")
    if whole is None or whole.p50 is None or whole.p99 is None or whole.p99 < SLOW_US:
        return ""
    if lag is not None and 2.0 * (lag.p99 or 0.0) > whole.p99:
        return ""
    text: str = _words("slow")["tail"]
    return f"{text.format(p99=seconds(whole.p99 / 1e6), p50=_ms(whole.p50))}."


def unasked(causes: Sequence[Cause], latency: Mapping[str, Quantiles]) -> tuple[str, str]:
    """What is wrong although no handshake failed, and what to do about it; each may be empty.

    Two valid chains are not: only the list of causes has them.
    """
    told = [
        one
        for one in causes
        if one.kind == LATENCY
        or (one.kind == INCONSISTENCY and one.mechanism and one.mechanism.dimension != "chain")
    ]
    sentences = [*(one.sentence for one in told), *filter(None, [tail(latency)])]
    fixes = dict.fromkeys(one.fix for one in told if one.fix)
    if sentences and not fixes:
        fixes = {"Examine the slow handshakes first.": None}
    return " ".join(sentences), " ".join(fixes)


def _words(table: str) -> Mapping[str, str]:
    words: Mapping[str, str] = read_texts(__package__, "words.toml")[table]
    return words


def _ms(microseconds: float) -> str:
    return f"{milliseconds(microseconds)} ms"
