"""Words the servers behind one address: by whom they were named, and how many are known."""

from __future__ import annotations

from collections.abc import Sequence

from stress.model.attributes import Dimension
from stress.model.run import JoinedLog
from stress.model.summary import BackendCount, Cause, Comparator
from stress.text.numbers import milliseconds, of, percent_up, seconds, thousands

ASKED = "Each handshake sent one HEAD request; h2 was not offered, so ALPN is not judged. "
SHOWN = 3
"""Files that are named."""


def joined_sentences(result: JoinedLog) -> tuple[str, str]:
    """How many attempts were found in a balancer's log, and how far its clock is from ours."""
    attempts = result.joined + result.ambiguous + result.unmatched
    by = "by time alone, so this is a suggestion" if result.by_time else "by client port and time"
    more = len(result.files) - SHOWN
    names = ", ".join(result.files[:SHOWN]) + (f" and {more} more" if more > 0 else "")
    offset_ns, side = abs(result.offset_ns), "ahead of" if result.offset_ns >= 0 else "behind"
    offset = f"{milliseconds(offset_ns / 1e3)} ms" if offset_ns < 1e9 else seconds(offset_ns / 1e9)
    found = (
        f"Backends: {of(result.joined, attempts)} attempts that connected were found "
        f"in {names} ({result.format}), {by}; "
        f"{thousands(result.ambiguous)} ambiguous, {thousands(result.unmatched)} not in it"
    )
    clocks = (
        f"The balancer's clock was {offset} {side} ours; "
        f"95% of the lines are within {milliseconds(result.spread_ns / 1e3)} ms of that."
    )
    return found, clocks


def server_words(count: BackendCount | None) -> str:
    """How many servers were told apart, and how many there may be; empty: nobody looked."""
    if count is None:
        return ""
    looked = count.named + count.unnamed
    known = f"{of(count.named, looked)} handshakes"
    by_header = count.how == "header"
    if not count.seen and by_header:
        return (
            "The header of the answer names no server: it is missing, or differs in each answer. "
            f"{ASKED}"
        )
    if not count.seen:
        return "Session tickets name no server: none was sent, or they begin with no name. "
    if count.seen == 1 and not by_header:
        return (
            "All session tickets are sealed with one key: by one server, or by several that "
            f"share it ({known}). "
        )
    if count.high is None:
        number = f"at least {thousands(count.seen)}"
    elif count.high == count.seen:
        number = thousands(count.seen)
    else:
        number = f"about {thousands(round(count.estimate))}"
        number += f" (95% CI {thousands(count.seen)}–{thousands(count.high)})"  # noqa: RUF001 - as a range is written
    what = "Servers by the header of their answer" if by_header else "Session ticket keys"
    beside = (
        ASKED
        if by_header
        else "Servers that share their keys count as one, and one that makes new keys as several. "
    )
    return (
        f"{what}: {thousands(count.seen)} seen in {known}, {number} in all; a server "
        f"with {percent_up(count.least_share)} of the connections would have been met. {beside}"
    )


def untold(count: BackendCount | None, name: str) -> str:
    """Why the address does not show which server it was, and what would."""
    why = "The address alone does not show which server sends it"
    if count is not None and count.how == "header":
        why += ", and no value of the header stands out"
    elif count is not None and count.seen == 1:
        why += ", and neither do session tickets: all are sealed with one key"
    elif count is not None and not count.seen:
        why += ", and its session tickets name none"
    elif count is not None:
        why += ", and no ticket key stands out"
    return f"{why}; the balancer's log does: tls-stress join {name} LOG"


def named_words(causes: Sequence[Cause], count: BackendCount | None, seen: int) -> str:
    """The one server that all failures are from; empty: there is none, or it is not known."""
    if len(causes) != 1 or causes[0].recall < 1:
        return ""
    where = [one for one in causes[0].conditions if one.dimension == Dimension.BACKEND]
    if len(where) != 1 or len(causes[0].conditions) != 1 or where[0].op is not Comparator.IS:
        return ""
    about = "" if count is None or count.high == count.seen else "about "
    number = seen if count is None else round(count.estimate)
    share = "All" if causes[0].failures > 1 else "It"
    phrase = Dimension.BACKEND.phrase(where[0].text).removeprefix("behind ")
    return f"{share} came from {phrase}, 1 of {about}{thousands(number)}."
