"""Words the servers behind one address: by whom they were named, and how many are known."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from stress.model.attributes import Dimension
from stress.model.claims import FailureKeys
from stress.model.run import JoinedLog, RunFacts
from stress.model.summary import (
    BackendCount,
    BackendLine,
    Cause,
    Comparator,
    NewKey,
    ResumptionGroups,
    Spread,
    Summary,
)
from stress.text.escape import command
from stress.text.numbers import (
    counted,
    milliseconds,
    of,
    percent,
    percent_up,
    seconds,
    some,
    thousands,
)

ASKED = "Each handshake sent one HEAD request; h2 was not offered, so ALPN is not judged. "
_AT_BACKEND = (Dimension.BACKEND, Comparator.IS)
_ALWAYS = {"source": "source address", "local_port": "source port"}
SHOWN = 3
"""Files that are named."""
_QUARTER_NS, _KEPT_NS = 900 * 10**9, 5 * 10**9
"""Time zones differ by quarters of an hour; clocks that are kept differ by less than 5 s."""
_TOLD_BY = {
    "ticket": "the key of their session tickets",
    "header": "a header of their answer",
    "log": "the balancer's log",
}


ABOUT_SERVERS = (
    "To tell servers apart by the sessions they accept",
    "To name the server, by a header that yours set",
)
"""What the commands are for that belong to no single cause."""


def joined_sentences(result: JoinedLog) -> tuple[str, str]:
    """How many attempts were found in a balancer's log, and how far its clock is from ours."""
    attempts = result.joined + result.ambiguous + result.unmatched
    by = "by time alone, so this is a suggestion" if result.by_time else "by client port and time"
    names = some(result.files, SHOWN)
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
    zones = (offset_ns + _QUARTER_NS // 2) // _QUARTER_NS
    if zones and abs(offset_ns - zones * _QUARTER_NS) <= _KEPT_NS:
        clocks += (
            " Time zones are so far apart: the log may be of another zone or date than was read."
        )
    return found, clocks


def server_words(count: BackendCount | None) -> str:
    """How many servers were told apart, and how many there may be; empty: nobody looked."""
    if count is None:
        return ""
    looked = count.named + count.unnamed
    known = f"{of(count.named, looked)} handshakes"
    if count.sample:
        known += " drawn at random"
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
            f"All session tickets{' that were read' if count.sample else ''} are sealed with one "
            "key: by one server, or by several that "
            f"share it ({known}). "
        )
    what = "Servers by the header of their answer" if by_header else "Session ticket keys"
    beside = (
        ASKED
        if by_header
        else "Servers that share their keys count as one, and one that makes new keys as several. "
        + reload_words(count.new_keys)
    )
    return (
        f"{what}: {thousands(count.seen)} seen in {known}, {_number(count)} in all; a server "
        f"with {percent_up(count.least_share)} of the connections would have been met. {beside}"
    )


def _number(count: BackendCount) -> str:
    """How many servers there may be, with the interval."""
    if count.high is None:
        return f"at least {thousands(count.seen)}"
    if count.high == count.seen:
        return thousands(count.seen)
    interval = f"{thousands(count.seen)}–{thousands(count.high)}"  # noqa: RUF001 - as ranges are
    return f"about {thousands(round(count.estimate))} (95% CI {interval})"


def reload_words(pairs: Sequence[NewKey]) -> str:
    """Which keys took the place of others, with the times; empty: none did."""
    told = [
        f"{one.before} was last met at {one.last}, {one.after} first at {one.first}"
        for one in pairs[:SHOWN]
    ]
    if not told:
        return ""
    more = f", and {len(pairs) - SHOWN} more" if len(pairs) > SHOWN else ""
    return (
        f"New keys: {'; '.join(told)}{more}. A reload without key files looks like this, and so "
        "does a server that takes the place of another. "
    )


def balancing_words(found: Spread | None) -> str:
    """How the balancer spreads connections, as far as their order shows it; empty: not at all."""
    if found is None:
        return ""
    told = []
    if found.by:
        told.append(f"the same {_ALWAYS[found.by]} always met the same server")
    if found.by_turns:
        told.append(
            f"servers take turns ({thousands(found.same)} of {thousands(found.pairs)} connections "
            f"in a row met the same server; {found.expected:.0f} would if each were drawn anew)"
        )
    if found.least is not None and found.most is not None:
        told.append(f"shares are not equal ({percent(found.least)} to {percent(found.most)})")
    return f"Balancing: {'; '.join(told)}. "


def server_facts(summary: Summary) -> Mapping[str, str]:
    """What is known of the servers as a whole, in short: what it is -> its figures."""
    count, spread, groups = summary.backend_count, summary.balancing, summary.resumption_groups
    facts = {}
    if how := next((one.how for one in summary.backends), count.how if count else ""):
        facts["told apart by"] = _TOLD_BY[how]
    if count is not None:
        drawn = ", drawn at random" if count.sample else ""
        facts["named"] = f"{of(count.named, count.named + count.unnamed)}{drawn}"
    if count is not None and count.seen:
        facts["seen"] = thousands(count.seen)
        facts["in all"] = _number(count)
        facts["would be seen"] = f"with {percent_up(count.least_share)} of the connections"
        facts["new keys"] = reload_words(count.new_keys).removeprefix("New keys: ").rstrip(". ")
    facts["balancing"] = balancing_words(spread).removeprefix("Balancing: ").rstrip(". ")
    if groups is not None:
        offered = groups.failing.offered + groups.good.offered
        facts["sessions accepted"] = of(groups.failing.accepted + groups.good.accepted, offered)
        if groups.all_shared:
            facts["session groups"] = "one"
        elif groups.effective is not None:
            interval = f"{groups.low or 0:.0f}–{groups.high or 0:.0f}"  # noqa: RUF001 - a range
            facts["session groups"] = f"about {groups.effective:.0f} (95% CI {interval})"
        facts["failures from"] = "one group" if groups.one_group else ""
    return {name: words for name, words in facts.items() if words}


def met_words(line: BackendLine, begun: str) -> str:
    """From when to when a server was met; with dates where they are not that of the begin."""
    first, last = (clock(moment, begun) for moment in (line.first, line.last))
    return first if first == last else f"{first}–{last}"  # noqa: RUF001 - as a range is written


def clock(moment: str | None, begun: str) -> str:
    """The time of day of a moment (RFC 3339), with its date where another began; empty: none."""
    if not moment:
        return ""
    return moment[11:19] if moment[:10] == begun[:10] else moment[5:19].replace("T", " ")


def backends_title(count: BackendCount | None) -> str:
    """What stands above the table of backends: whether it counts only a sample."""
    return "Backends, of handshakes drawn at random" if count and count.sample else "Backends"


def untold(count: BackendCount | None, name: str, keys: FailureKeys | None = None) -> str:
    """Why the address does not show which server it was, and what would."""
    told = key_words(keys)
    if told:
        return told
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


def group_words(found: ResumptionGroups | None, facts: RunFacts) -> str:
    """What offering sessions to more connections showed; empty: none were offered."""
    if found is None:
        return ""
    failing, good = found.failing, found.good
    offered, accepted = failing.offered + good.offered, failing.accepted + good.accepted
    told = f"{of(accepted, offered)} sessions that were offered again were accepted"
    log = command("join", facts.name, "LOG")
    header = "" if facts.plan.starttls else "a header does (--identify header:NAME), or "
    ways = f"{header}the balancer's log{'' if header else ' does'}: {log}"
    if not offered:
        return f"No session was given that can be resumed, so none tells servers apart; {ways}."
    if found.all_shared:
        return (
            f"{told}: all servers share their keys or one cache, so sessions do not tell them "
            f"apart; {ways}."
        )
    if not accepted:
        return f"{told}: there are many groups of servers, or none resumes; {ways}."
    parts = []
    if failing.offered:
        refused = failing.offered - failing.accepted
        verdict = ""
        if found.one_group:
            verdict = ": all failures come from one server, or one group that shares its sessions"
        elif found.refused_and_failed:
            verdict = ": several groups of servers fail, or servers forget sessions"
        parts.append(
            f"Of {counted(failing.offered, 'session')} of failing connections, offered again, "
            f"{thousands(failing.accepted)} were accepted; {thousands(found.refused_and_failed)} "
            f"of {thousands(refused)} connections that refused one failed{verdict}"
        )
    if found.effective is not None and found.low is not None and found.high is not None:
        of_which = "Of other sessions" if failing.offered else "Of all sessions"
        parts.append(
            f"{of_which} {of(good.accepted, good.offered)} were accepted: in all as many as from "
            f"{found.effective:.0f} groups of servers with equal shares "
            f"(95% CI {found.low:.0f}–{found.high:.0f})"  # noqa: RUF001 - as a range is written
        )
    if found.same_key_refused:
        times = counted(found.same_key_refused, "connection")
        parts.append(f"{times} refused a session whose key has the same name")
    return ". ".join([*parts, ""]).strip()


def key_words(keys: FailureKeys | None) -> str:
    """What the session tickets of failures say, beside those of good handshakes; empty: nothing."""
    if keys is None or not keys.stands_out:
        return ""
    begin = f"The session tickets of {of(keys.read, keys.failures)} failures were read: "
    every = "all" if keys.most == keys.read else f"{thousands(keys.most)} of them"
    return (
        f"{begin}{every} were sealed with {keys.name}, as were {thousands(keys.good_most)} of "
        f"{counted(keys.good, 'good handshake')} drawn at random"
    )


def named_words(
    causes: Sequence[Cause],
    count: BackendCount | None,
    keys: Mapping[str, FailureKeys],
    failures: Collection[int],
    total: int,
) -> str:
    """The one server that all failures are from; empty: there is none, or it is not known.

    Of a key that only a sample has shown, what was seen of it. Where the servers of some failures
    are not known, how many that were known are from it.

    Args:
        causes: of the failures.
        count: how many servers there are.
        keys: of the failures, where only a sample was read.
        failures: of each server.
        total: all failures.
    """
    if keys:
        first = next(iter(keys.values()))
        if len(keys) > 1 or not first.stands_out or first.most < first.read or count is None:
            return ""
        read = f"All {thousands(first.read)}" if first.read > 1 else "It"
        if first.read < first.failures:
            read += " whose session ticket was read"
        about = "" if count.high == count.seen else "about "
        return (
            f"{read} came from the backend with {first.name}, "
            f"1 of {about}{thousands(round(count.estimate))}."
        )
    known = sum(failures)
    behind = {
        one.conditions[0].text: one.failures
        for one in causes
        if [(each.dimension, each.op) for each in one.conditions] == [_AT_BACKEND]
    }
    if not behind or sum(behind.values()) != known:
        return ""
    share = "All" if known > 1 else "It"
    if known < total:
        share = f"All {thousands(known)} whose server is known"
    for pair in count.new_keys if count else ():
        if set(behind) == {pair.before, pair.after}:
            return (
                f"{share} came with {pair.before} or, from {pair.first} on, {pair.after}: one "
                "after the other, as from one server that was reloaded."
            )
    if len(behind) > 1:
        return ""
    about = "" if count is None or count.high == count.seen else "about "
    number = len(failures) if count is None else round(count.estimate)
    phrase = Dimension.BACKEND.phrase(next(iter(behind))).removeprefix("behind ")
    return f"{share} came from {phrase}, 1 of {about}{thousands(number)}."
