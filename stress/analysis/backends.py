"""Which servers were met behind the addresses, and how many there may be.

Imported late: it needs numpy.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import erfc, exp, log, sqrt
from typing import TypeAlias

from stress.analysis.causes.table import Table
from stress.analysis.proportions.binomial import LEVEL, exact_bounds, log_choose
from stress.analysis.tally import parted
from stress.model.attributes import Dimension
from stress.model.claims import FailureKeys
from stress.model.outcome import Side, Stage, side_of
from stress.model.record import Record
from stress.model.run import Cell, Cells, Cube, Probe, ResumptionMatrix, RunFacts, cell_reader
from stress.model.summary import BackendCount, NewKey, Offers, ResumptionGroups, Spread
from stress.text.units import time_of_day

KEY = "ticket key "
"""How the names begin that are those of keys (`stress.engine.key_names`)."""
ENOUGH = 0.8
"""This part of the attempts is named: then all servers can be compared."""
UNLIKELY = 0.01
"""So unlikely is it, if the failures were no different, that a key is told to be theirs."""
SURELY = 0.001
"""Chance at which a key that was not met any more, or not before, is no accident."""
FEWEST = 50
"""Of so few in a sample none may have come from one server twice, and so have no name."""
_backend, _sampled = cell_reader("backend"), cell_reader("sampled")


class Source:
    """By what servers are told apart; `BackendLine.how`."""

    LOG = "log"
    TICKET = "ticket"
    HEADER = "header"


def source(facts: RunFacts) -> str:
    """By what the servers of a run are told apart."""
    if facts.joined:
        return Source.LOG
    return Source.HEADER if facts.plan.identify else Source.TICKET


def is_sample(facts: RunFacts) -> bool:
    """Whether the servers of only a random sample of the attempts are known, and of rare chains."""
    return facts.plan.ticket_names is None and source(facts) == Source.TICKET


def representative(cells: Sequence[Cell], facts: RunFacts) -> Sequence[Cell]:
    """The attempts of which those with a known server speak for all: the sample, or all of them.

    Others were looked at because of their chain, which failures follow: rates among them, or of
    them and the sample together, would be wrong.
    """
    return parted(cells, _sampled).get(True, ()) if is_sample(facts) else cells


def met(cube: Cube, facts: RunFacts) -> BackendCount | None:
    """How many servers were met; None: nobody looked, no handshake finished, or a log says it."""
    looked = facts.plan.ticket_names is not False or facts.plan.identify
    if not looked or cube.records is not None or source(facts) == Source.LOG:
        return None
    names, finished = Counter[Hashable](), 0
    for kind, number in Cells.of_cells(representative(cube.cells, facts)).by_kind():
        if Stage(kind.stage).order >= Stage.FINISHED.order:
            finished += number
            names[_backend(kind)] += number
    sample = is_sample(facts)
    named = finished - names.pop(None, 0)
    if not finished or (sample and not named and finished < FEWEST):
        return None
    found = richness(names.values())
    if sample:  # tickets of rare chains have shown more
        seen = len({_backend(kind) for kind in Cells.of_cells(cube.cells).kinds} - {None})
        high = found.high and max(found.high, seen)
        found = Richness(seen, max(found.estimate, seen), high)
    return BackendCount(
        how=source(facts),
        named=named,
        unnamed=finished - named,
        seen=found.seen,
        estimate=found.estimate,
        high=found.high,
        least_share=least_share(named),
        new_keys=tuple(new_keys(cube, facts)) if source(facts) == Source.TICKET else (),
        sample=sample,
    )


def chains_met(cube: Cube) -> Mapping[int, int]:
    """`SeenChain.id` -> attempts that received it, the commonest first."""
    counts = Counter[int]()
    for kind, count in Cells.of_cells(cube.cells).by_kind():
        if kind.chain is not None:
            counts[kind.chain] += count
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def blocks_met(cube: Cube) -> tuple[int, int, int | None]:
    """The first and the last time block with an attempt, and the first with a failure."""
    import numpy as np  # noqa: PLC0415 - the words of the report import this module

    own = Cells.of_cells(cube.cells)
    blocks = np.asarray(own.blocks)
    bad = np.asarray([side_of(kind.outcome) is Side.TARGET for kind in own.kinds], dtype=np.bool_)
    failing = blocks[bad[np.asarray(own.of)]]
    since = int(failing.min()) if len(failing) else None
    return int(blocks.min()), int(blocks.max()), since


def new_keys(cube: Cube, facts: RunFacts) -> Iterator[NewKey]:
    """Pairs of keys of which one came as the other went: seen, and not to be told from a reload.

    A key has gone, or has come, only where chance would hardly (0.1%, over all keys) have put each
    time that it was met into this part of the attempts. Each is told once: first pairs of keys with
    which the same chain was sent most, then those that are close in time.
    """
    spans: dict[str, tuple[int, int, int]] = {}
    attempts, sent = Counter[int](), dict[str, Counter[int | None]]()
    for cell in representative(cube.cells, facts):
        attempts[cell.block] += cell.count
        name = _backend(cell)
        if isinstance(name, str):
            first, last, count = spans.get(name, (cell.block, cell.block, 0))
            sent.setdefault(name, Counter())[cell.chain] += cell.count
            spans[name] = min(first, cell.block), max(last, cell.block), count + cell.count
    until, sofar = dict[int, float](), 0
    for block in sorted(attempts):
        sofar += attempts[block]
        until[block] = sofar / attempts.total()
    gone, come = {}, {}
    for name, (first, last, count) in spans.items():
        if until[last] ** count * len(spans) <= SURELY:
            gone[name] = last
        before = until[first] - attempts[first] / attempts.total()
        if (1 - before) ** count * len(spans) <= SURELY:
            come[name] = first
    chain = {name: counts.most_common(1)[0][0] for name, counts in sent.items()}
    pairs = sorted(
        (chain[old] != chain[new], abs(came - went), old, new)
        for old, went in gone.items()
        for new, came in come.items()
        if went <= came and old != new
    )

    def moment(block: int) -> str:
        return time_of_day(facts.started_ns + block * cube.block_ns, facts.started_ns)

    for *_, old, new in pairs:
        if old in gone and new in come:
            yield NewKey(old, moment(gone.pop(old)), new, moment(come.pop(new)))


def keys_of_failures(cube: Cube, facts: RunFacts) -> Mapping[str, FailureKeys]:
    """With which ticket keys the failures were answered, beside a sample of good attempts.

    By category. Only where a sample was read: else each attempt has its server, and the search for
    causes compares all of them. Failures and good attempts are read at different rates here, so
    nothing is said of the failure rate of a server. That a key is more frequent among failures than
    among good attempts does not depend on these rates; it is tested by Fisher's exact test, for
    the key that most failures have, with the number of keys as factor for having chosen it.
    """
    if not is_sample(facts):
        return {}
    failing: dict[str, Counter[str]] = {}
    good, counts = Counter[str](), Counter[str]()
    for kind, number in Cells.of_cells(cube.cells).by_kind():
        side, name = side_of(kind.outcome), _backend(kind)
        counts[kind.outcome] += number
        if not isinstance(name, str):
            continue
        if side is Side.TARGET:
            failing.setdefault(kind.outcome, Counter())[name] += number
        elif side is Side.NOBODY and _sampled(kind) is not None:
            good[name] += number
    found = {}
    for category, names in failing.items():
        (name, most), read, others = names.most_common(1)[0], names.total(), good.total()
        # The chance that so many failures, or more, are among those with this key.
        with_it = most + good[name]
        every = log_choose(read + others, read)
        chance = sum(
            exp(log_choose(with_it, n) + log_choose(read + others - with_it, read - n) - every)
            for n in range(max(most, with_it - others), min(read, with_it) + 1)
        )
        found[category] = FailureKeys(
            failures=counts[category],
            read=read,
            keys=len(names),
            name=name,
            most=most,
            good=others,
            good_most=good[name],
            stands_out=chance * len(names | good) <= UNLIKELY,
        )
    return found


def told_apart(cube: Cube, facts: RunFacts) -> tuple[Cube, Mapping[str, FailureKeys]]:
    """The attempts that speak for all in rates of servers, and the keys of the failures."""
    cells = representative(cube.cells, facts)
    return replace(cube, cells=cells), keys_of_failures(cube, facts)


def comparable(table: Table, count: BackendCount | None) -> Table:
    """The table with a column of servers in which those that are not named do no harm.

    Which attempts have a name depends on how far they came, and so do failures. So nothing is said
    of "every server but one" where some have none, and nothing of servers where many have none.
    """
    if count is None or not (count.sample or count.unnamed):
        return table
    enough = not count.sample and count.named >= ENOUGH * (count.named + count.unnamed)
    columns = (
        replace(one, partial=True) if one.dimension is Dimension.BACKEND else one
        for one in table.columns
        if enough or one.dimension is not Dimension.BACKEND
    )
    return replace(table, columns=tuple(columns))


# How many there are, counted from how often each of those that were seen came.
#
# The lower end of the interval is the number seen; the estimate is Chao's lower bound, from those
# that came once and twice (Chao 1984). The upper end is the larger of two. One is that of Chao's
# log-normal interval (Chao 1987). The other is the largest number at which so few seen would still
# not be unlikely (2.5%), if their shares were spread as widely as the counts say: they are
# gamma-distributed, with the squared coefficient of variation that Chao and Lee (1992) estimate. It
# is exact where few are missing and none came once, where Chao's interval is a point.
# `benchmarks/simulate.py` has its coverage.
#
# It assumes that each draw is independent. A balancer that takes turns shows everybody sooner, so
# the interval is then too wide, never too narrow. One that goes by the source address shows one of
# many for ever: that cannot be seen from here.

_TAIL = 0.025
_NORMAL = 1.959964
"""Two-sided 95% quantile of the normal distribution."""
_FEW = 3.0
"""Expected number of unseen below which their number is Poisson, else nearly normal."""
MOST_SERVERS = 1_000_000


@dataclass(frozen=True, slots=True)
class Richness:
    """How many there are."""

    seen: int
    estimate: float
    high: int | None
    """Upper end of the 95% interval, whose lower one is `seen`; None: unbounded."""


def richness(counts: Iterable[int]) -> Richness:
    """How many there are, from how often each that was seen came (above 0)."""
    met = list(counts)
    seen, draws = len(met), sum(met)
    if not seen:
        return Richness(0, 0.0, None)
    once, twice = met.count(1), met.count(2)
    part = (draws - 1) / draws
    missing = part * once * (once - 1) / (2 * (twice + 1))
    estimate = seen + missing
    if once == draws:
        return Richness(seen, estimate, None)
    pairs = sum(one * (one - 1) for one in met) / (draws * (draws - 1))
    spread = max(0.0, estimate * pairs - 1)
    high = low = seen
    high += 1
    while high < MOST_SERVERS and _unlikely(high, seen, draws, spread) > _TAIL:
        low, high = high, 2 * high - seen
    while high - low > 1:
        middle = (low + high) // 2
        if _unlikely(middle, seen, draws, spread) > _TAIL:
            low = middle
        else:
            high = middle
    return Richness(seen, estimate, max(low, int(_chao_high(met, missing))))


def _unlikely(number: int, seen: int, draws: int, spread: float) -> float:
    """The chance that no more than `seen` of so many are seen."""
    if spread:
        never = (1 + spread * draws / number) ** (-1 / spread)
        expected = number * never
        variance = expected * (1 - never)
    else:
        expected = number * (1 - 1 / number) ** draws
        both = number * (number - 1) * (1 - 2 / number) ** draws
        variance = both + expected - expected**2
    missing = number - seen
    if expected < _FEW:
        term, below = exp(-expected), 0.0
        for count in range(missing):
            below += term
            term *= expected / (count + 1)
        return 1 - below
    return erfc((missing - 0.5 - expected) / sqrt(2 * max(variance, 1e-9))) / 2


def _chao_high(met: list[int], missing: float) -> float:
    """The upper end of Chao's log-normal interval."""
    seen, once, twice = len(met), met.count(1), met.count(2)
    if missing <= 0:
        return seen
    part = 1 - 1 / sum(met)
    if twice:
        ratio = once / twice
        variance = twice * (part * ratio**2 / 2 + part**2 * ratio**3 + part**2 * ratio**4 / 4)
    else:
        variance = part * once * (once - 1) / 2 + part**2 * once * (2 * once - 1) ** 2 / 4
        variance -= part**2 * once**4 / (4 * (seen + missing))
    return seen + missing * exp(_NORMAL * sqrt(log(1 + variance / missing**2)))


def least_share(draws: int) -> float:
    """The share that one of them needs to be among those seen with 95% confidence."""
    return float(1 - 0.05 ** (1 / draws)) if draws else 1.0


# What the order in which servers were met says about the balancer; or nothing.
#
# Three things show in rows whose server is known. A balancer that takes turns hardly ever gives two
# connections in a row to one server; one that draws each anew does so with the sum of the squared
# shares. One that goes by the client's port, or by its address, gives the same to the same. Shares
# that are not equal are weights, or something that acts like them. Least connections and a random
# choice look alike while a server is as fast as the others, so neither is named.

SURE = 1e-3
"""Chance at which an order is no accident."""
LEAST_PAIRS = 20
"""Pairs of which something is said."""
LEAST_EXPECTED = 5.0
"""Of two in a row at one server, or connections of a server."""


def balancing(rows: Sequence[Record]) -> Spread | None:
    """How connections were spread, from all attempts of one address by one machine.

    None: nothing decides it.

    Args:
        rows: in any order; those whose server is not known count as a gap in the order. Where
            tickets are read of a sample, so do those that were not drawn: that a failure names its
            server always, and a success rarely, says nothing of the shares.
    """
    ordered = sorted(rows, key=lambda row: (row.started_ns, row.id))
    if any(row.sampled for row in ordered):
        ordered = [row if row.sampled else row._replace(backend=None) for row in ordered]
    names = Counter(row.backend for row in ordered if row.backend is not None)
    total = names.total()
    if len(names) < 2:
        return None
    from scipy.special import bdtr  # noqa: PLC0415 - heavy, and one server is no balancer

    again = sum((count / total) ** 2 for count in names.values())
    pairs = [(a, b) for a, b in pairwise(ordered) if a.backend and b.backend]
    same = sum(a.backend == b.backend for a, b in pairs)
    expected = again * len(pairs)
    by_turns = expected >= LEAST_EXPECTED and float(bdtr(same, len(pairs), again)) <= SURE
    by = ""
    for what, key in _KEYS.items():
        if _decides(ordered, key, again):
            by = what
            break
    mean, free = total / len(names), len(names) - 1
    statistic = sum((count - mean) ** 2 / mean for count in names.values())
    # Four standard deviations of chi-square.
    unequal = mean >= LEAST_EXPECTED and statistic - free > 4.0 * sqrt(2 * free)
    if not (by_turns or by or unequal):
        return None
    return Spread(
        pairs=len(pairs),
        same=same,
        expected=expected,
        by_turns=by_turns and not by,
        by=by,
        least=min(names.values()) / total if unequal else None,
        most=max(names.values()) / total if unequal else None,
    )


_KEYS: dict[str, Callable[[Record], Hashable]] = {
    "source": lambda row: row.source,
    "local_port": lambda row: (row.source, row.local_port),
}


def _decides(rows: Sequence[Record], key: Callable[[Record], Hashable], again: float) -> bool:
    """Whether rows with one key always met one server, and chance would not have done that."""
    met: dict[Hashable, str] = {}
    repeats = 0
    for row in rows:
        value = key(row)
        if row.backend is None or value is None:
            continue
        if met.setdefault(value, row.backend) != row.backend:
            return False
        repeats += 1
    repeats -= len(met)
    return len(met) > 1 and repeats >= LEAST_PAIRS and again**repeats <= SURE


# What the resumption matrix says: how many groups of servers share sessions, and which one fails.
#
# A session is accepted by the servers that share its keys or its cache, and by no other. So the
# part of the connections that accept a session is the share of its group. Of sessions that come
# from connections drawn as they come, that part is the sum of the squared shares: one over it is
# the number of groups, if they have equal shares, and less than their number if not.

LEAST_OFFERS = 30
"""Offers from which on something is said about all servers."""
NEARLY_ALL = 0.98
_Answers: TypeAlias = Mapping[int, Sequence[bool]]
"""By session, whether each connection that was offered it accepted it."""


def groups(matrix: ResumptionMatrix) -> ResumptionGroups:
    """Count what was offered, accepted and refused."""
    probes = matrix.probes
    asked = [one for one in probes if one.offered is not None and one.resumed is not None]
    full = [one for one in probes if one.resumed is False and one.offered is None]
    refused_good = [one for one in asked if not one.resumed and not _origin(probes, one).failed]
    drawn = [*full, *refused_good]
    share = sum(one.failed for one in drawn) / len(drawn) if drawn else 0.0
    answers = defaultdict[int, list[bool]](list), defaultdict[int, list[bool]](list)
    for one in asked:
        answers[_origin(probes, one).failed][one.offered or 0].append(bool(one.resumed))
    good, failing = (
        Offers(sum(map(len, those.values())), sum(map(sum, those.values()))) for those in answers
    )
    refusals = [one for one in asked if not one.resumed and _origin(probes, one).failed]
    also = sum(one.failed for one in refusals)
    named = [one for one in asked if not one.resumed and one.key is not None]
    accepted, offered = failing.accepted + good.accepted, failing.offered + good.offered
    met = [one.failed for one in probes if one.resumed is not None]
    effective, low, high = _effective(answers[1], answers[0], sum(met) / len(met) if met else 0.0)
    return ResumptionGroups(
        tls_version=matrix.tls_version,
        connections=len(probes),
        failing=failing,
        good=good,
        refused_and_failed=also,
        one_group=bool(
            not also and failing.accepted >= 3 and (1 - share) ** len(refusals) <= UNLIKELY
        ),
        all_shared=offered >= LEAST_OFFERS and accepted >= NEARLY_ALL * offered,
        same_key_refused=sum(one.key == _origin(probes, one).key for one in named),
        effective=effective,
        low=low,
        high=high,
    )


def _effective(
    failing: _Answers, good: _Answers, share: float
) -> tuple[float | None, float | None, float | None]:
    """How many groups with equal shares would accept as many sessions, and its interval.

    Sessions of failing connections are offered more often than they come, so each kind counts by
    its part of the connections. The interval is that of as many independent offers as have the
    same variance.
    """
    share = share if failing else 0.0
    parts = [(part, one) for part, one in ((share, failing), (1 - share, good)) if part]
    if sum(map(len, failing.values())) + sum(map(len, good.values())) < LEAST_OFFERS or not all(
        one for _, one in parts
    ):
        return None, None, None
    accepted = sum(part * _share(one) for part, one in parts)
    offers = 1 / sum(part * part / _independent(one) for part, one in parts)
    if not accepted:
        return None, None, None
    low, high = exact_bounds(accepted * offers, offers, (1 - LEVEL) / 2)
    return 1 / accepted, 1 / high, 1 / low


def _share(answers: _Answers) -> float:
    """The part of the offers that were accepted."""
    return sum(map(sum, answers.values())) / sum(map(len, answers.values()))


def _independent(answers: _Answers) -> float:
    """How many independent offers these are worth.

    Groups of unequal shares make some sessions accepted more often than others. Where these differ
    by more than chance makes them (two standard errors), a session is one observation.
    """
    share, offers = _share(answers), sum(map(len, answers.values()))
    chance = share * (1 - share) * offers
    if not chance or len(answers) < 2:
        return offers
    varied = sum((sum(one) - share * len(one)) ** 2 for one in answers.values())
    effect = varied / chance * len(answers) / (len(answers) - 1)
    return offers / effect if effect > 1 + 2 * sqrt(2 / (len(answers) - 1)) else offers


def _origin(probes: tuple[Probe, ...], one: Probe) -> Probe:
    """The probe whose session it offered; itself where a damaged file names none that is there."""
    place = one.offered
    return probes[place] if place is not None and place < len(probes) else one
