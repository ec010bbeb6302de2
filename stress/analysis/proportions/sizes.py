"""How many handshakes are needed to see, to measure, or to rule out a failing share."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, expm1, log, log1p

from stress.analysis.proportions.binomial import LEVEL
from stress.analysis.proportions.sequence import claims_below
from stress.errors import UsageError
from stress.text.numbers import percent, thousands

ASSURANCE = 0.9
"""With this probability the planned number really gives as narrow an interval."""
MOST = 10**12


@dataclass(frozen=True, slots=True)
class SampleSize:
    """A number of handshakes and what it buys."""

    handshakes: int
    sentence: str


def to_see(share: float, confidence: float = 0.99, times: int = 1) -> SampleSize:
    """So many that a failing share shows at least `times` times.

    Raises:
        UsageError: a share or a confidence that is not between 0 and 1, or no times.
    """
    _check(share, confidence)
    if times < 1:
        raise UsageError(f"to see it {times} times needs no handshake", "ask for at least 1")
    if times == 1:
        count = ceil(log1p(-confidence) / log1p(-share)) if share < 1.0 else 1
    else:
        from scipy.special import gammaincinv  # noqa: PLC0415 - imported late

        count = ceil(float(gammaincinv(times, confidence)) / share)
    often = "once" if times == 1 else f"{times} times"
    return SampleSize(
        count,
        f"{thousands(count)} handshakes show a failing share of {percent(share)} at least {often} "
        f"with {percent(confidence)} confidence.",
    )


def to_measure(share: float, relative: float, confidence: float = LEVEL) -> SampleSize:
    """So many that the share is known within plus or minus `relative` of itself.

    What counts is the number of failures; it is planned with 90% assurance.

    Raises:
        UsageError: a share, relative error or confidence that is not between 0 and 1.
    """
    _check(share, confidence)
    if not 0.0 < relative <= 1.0:
        raise UsageError(f"a relative error of {relative:g} is not above 0 and at most 1")
    needed = failures_needed(relative, confidence)
    from scipy.special import gammaincinv  # noqa: PLC0415 - imported late

    planned = ceil(float(gammaincinv(needed, ASSURANCE)))
    count = ceil(planned / share)
    return SampleSize(
        count,
        f"{thousands(count)} handshakes: about {thousands(needed)} failures measure a share of "
        f"{percent(share)} to ±{percent(relative)} of itself ({percent(confidence)} confidence); "
        f"planned for {thousands(planned)}, to be sure of them.",
    )


def failures_needed(relative: float, confidence: float = LEVEL) -> int:
    """The fewest failures whose exact interval is as narrow as this, relative to the share."""
    low, high = 1, 2
    while not _narrow(high, relative, confidence):
        low, high = high, high * 2
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if _narrow(middle, relative, confidence) else (middle + 1, high)
    return low


def _narrow(failures: int, relative: float, confidence: float) -> bool:
    from scipy.special import gammaincinv  # noqa: PLC0415 - imported late

    tail = (1.0 - confidence) / 2.0
    low = float(gammaincinv(failures, tail))
    high = float(gammaincinv(failures + 1, 1.0 - tail))
    return max(high - failures, failures - low) <= relative * failures


def to_rule_out(share: float, confidence: float = LEVEL) -> SampleSize:
    """So many, all good, that the failing share is below this.

    Raises:
        UsageError: a share or a confidence that is not between 0 and 1.
    """
    _check(share, confidence)
    count = ceil(log1p(-confidence) / log1p(-share)) if share < 1.0 else 1
    stopped = _anytime(share, confidence, count)
    return SampleSize(
        count,
        f"{thousands(count)} handshakes without a failure say the share is below {percent(share)} "
        f"({percent(confidence)} confidence); {thousands(stopped)} when the run stops as soon as "
        "it may say so.",
    )


def _anytime(share: float, confidence: float, at_least: int) -> int:
    low, high = at_least, at_least
    while not claims_below(0, high, share, confidence) and high < MOST:
        low, high = high, high * 2
    while low < high:
        middle = (low + high) // 2
        good = claims_below(0, middle, share, confidence)
        low, high = (low, middle) if good else (middle + 1, high)
    return low


def for_backends(backends: int, confidence: float = 0.99) -> SampleSize:
    """So many that each of that many equal backends is met at least once.

    Raises:
        UsageError: fewer than one backend, or a confidence that is not between 0 and 1.
    """
    if backends < 1:
        raise UsageError(f"{backends} backends cannot be met", "give at least 1")
    _check(0.5, confidence)
    if backends == 1:
        return SampleSize(1, "1 handshake meets the one backend.")
    missed = -expm1(log(confidence) / backends)
    count = ceil(log(missed) / log1p(-1.0 / backends))
    return SampleSize(
        count,
        f"{thousands(count)} handshakes meet each of {thousands(backends)} equal backends with "
        f"{percent(confidence)} confidence, if each connection is balanced anew.",
    )


def _check(share: float, confidence: float) -> None:
    if not 0.0 < share <= 1.0:
        raise UsageError(
            f"a share of {share:g} cannot be planned for", "give one above 0% and at most 100%"
        )
    if not 0.0 < confidence < 1.0:
        raise UsageError(
            f"a confidence of {confidence:g} is not between 0 and 1", "95% and 99% are usual"
        )
