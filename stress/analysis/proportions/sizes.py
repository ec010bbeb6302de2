"""How many handshakes it takes to see, to measure, or to rule out a failure rate.

Imported late: it needs scipy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, expm1, log, log1p

from scipy.special import gammaincinv

from stress.analysis.proportions.binomial import LEVEL, claims_below
from stress.errors import UsageError
from stress.text.numbers import percent, thousands

ASSURANCE = 0.9
"""Probability that the planned number really gives as narrow an interval."""
MOST = 10**12


@dataclass(frozen=True, slots=True)
class SampleSize:
    """A number of handshakes and what it buys."""

    handshakes: int
    sentence: str


def to_see(share: float, confidence: float = 0.99, times: int = 1) -> SampleSize:
    """How many show a failure rate at least `times` times.

    Raises:
        UsageError: a rate or a confidence that is not between 0 and 1, or no times.
    """
    _check(share, confidence)
    if times < 1:
        raise UsageError(f"seeing it {times} times takes no handshake", "give at least 1")
    if times == 1:
        count = _until_one(share, confidence)
    else:
        count = ceil(float(gammaincinv(times, confidence)) / share)
    often = "once" if times == 1 else f"{times} times"
    return SampleSize(
        count,
        f"{thousands(count)} handshakes show a failure rate of {percent(share)} at least {often} "
        f"({percent(confidence)} confidence).",
    )


def to_measure(share: float, relative: float, confidence: float = LEVEL) -> SampleSize:
    """How many measure a failure rate within plus or minus `relative` of itself.

    What counts is the number of failures; it is planned with 90% assurance.

    Raises:
        UsageError: a rate, relative error or confidence that is not between 0 and 1.
    """
    _check(share, confidence)
    if not 0.0 < relative <= 1.0:
        raise UsageError(f"a relative error of {relative:g} is not above 0 and at most 1")
    needed = failures_needed(relative, confidence)
    planned = ceil(float(gammaincinv(needed, ASSURANCE)))
    count = ceil(planned / share)
    return SampleSize(
        count,
        f"{thousands(count)} handshakes: about {thousands(needed)} failures measure a failure rate "
        f"of {percent(share)} to within ±{percent(relative)} of itself ({percent(confidence)} "
        f"confidence); planned for {thousands(planned)} failures, to have a margin.",
    )


def failures_needed(relative: float, confidence: float = LEVEL) -> int:
    """The fewest failures whose exact interval is as narrow as this, relative to the rate."""
    tail = (1.0 - confidence) / 2.0

    def narrow(failures: int) -> bool:
        low = float(gammaincinv(failures, tail))
        high = float(gammaincinv(failures + 1, 1.0 - tail))
        return max(high - failures, failures - low) <= relative * failures

    return _fewest(narrow, 1)


def to_rule_out(share: float, confidence: float = LEVEL) -> SampleSize:
    """How many, all good, show that the failure rate is below this.

    Raises:
        UsageError: a rate or a confidence that is not between 0 and 1.
    """
    _check(share, confidence)
    # A claim needs the two-sided interval on its side, as it is shown: half the error on each.
    count = _until_one(share, (1.0 + confidence) / 2.0)
    stopped = _fewest(lambda attempts: claims_below(0, attempts, share, confidence), count)
    return SampleSize(
        count,
        f"{thousands(count)} handshakes without a failure show that the failure rate is below "
        f"{percent(share)} ({percent(confidence)} confidence); {thousands(stopped)} when the run "
        "stops as soon as that is certain.",
    )


def for_backends(backends: int, confidence: float = 0.99) -> SampleSize:
    """How many reach each of that many equal backends at least once.

    Raises:
        UsageError: fewer than one backend, or a confidence that is not between 0 and 1.
    """
    if backends < 1:
        raise UsageError(f"{backends} backends cannot be reached", "give at least 1")
    _check(0.5, confidence)
    if backends == 1:
        return SampleSize(1, "1 handshake reaches the one backend.")
    missed = -expm1(log(confidence) / backends)
    count = ceil(log(missed) / log1p(-1.0 / backends))
    return SampleSize(
        count,
        f"{thousands(count)} handshakes reach each of {thousands(backends)} equal backends "
        f"({percent(confidence)} confidence), if each connection is balanced independently.",
    )


def _until_one(share: float, confidence: float) -> int:
    """Handshakes of which at least one fails with this confidence."""
    return ceil(log1p(-confidence) / log1p(-share)) if share < 1.0 else 1


def _fewest(enough: Callable[[int], bool], at_least: int) -> int:
    """The smallest count that is enough, by doubling and bisection; more is always enough, too."""
    low = high = at_least
    while not enough(high) and high < MOST:
        low, high = high, high * 2
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return low


def _check(share: float, confidence: float) -> None:
    if not 0.0 < share <= 1.0:
        raise UsageError(
            f"a failure rate of {share:g} cannot be planned for",
            "give one above 0% and at most 100%",
        )
    if not 0.0 < confidence < 1.0:
        raise UsageError(
            f"a confidence of {confidence:g} is not between 0 and 1", "95% and 99% are usual"
        )
