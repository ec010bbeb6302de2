"""The result of a replay: its rows, grouped by combination, and the answer.

Only the recorded outcomes count as "failed again". A target that now answers in a different way
(gone, moved, refusing) proves nothing about them, and is reported as that.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from math import ceil

from stress.analysis.compare.replay import (
    COMBINATIONS,
    TRIES,
    Replayed,
    ReplayResult,
    ReplayVerdict,
    answer,
    choose,
    clean_needed,
    interleaved,
)
from stress.analysis.dimensions import Dimension, texts
from stress.analysis.tally import side_of
from stress.errors import UsageError
from stress.model.attributes import SHARED
from stress.model.outcome import Side
from stress.model.plan import Combination, Replay, Role
from stress.model.record import Record
from stress.model.run import Run
from stress.model.summary import Cause, Condition, Summary
from stress.text.numbers import thousands

_REPLAYED = frozenset(dim for each in SHARED if each.replayed for dim in each.dimensions)
"""Dimensions by which failing attempts are selected."""


def matcher(run: Run, conditions: Sequence[Condition]) -> Callable[[Record], bool]:
    """A function that says whether an attempt of this run meets the conditions.

    Conditions about what cannot be chosen again (a chain, a time, a sample of ports) are met by
    every attempt.
    """
    readable = texts(run.facts().plan, run.addresses(), {})
    wanted = [
        (*readable[Dimension(one.dimension)], one.text)
        for one in conditions
        if Dimension(one.dimension) in _REPLAYED
    ]

    def meets(record: Record) -> bool:
        for attribute, text, value in wanted:
            recorded = getattr(record, attribute)
            if (None if recorded is None else text(recorded)) != value:
                return False
        return True

    return meets


MOST_COMBINATIONS = 100
"""Failing ones; with as many controls, three times each, that is 600 handshakes."""
OTHERWISE = 0.5
"""If at least this fraction of the tries has another outcome, there is no answer."""


def replay_of(
    run: Run, summary: Summary, *, gap_s: float, cause: int | None = None, tries: int = TRIES
) -> Replay:
    """The combinations of a recorded run to try again.

    Args:
        run: the recorded run.
        summary: its answer.
        gap_s: wait between two rounds.
        cause: rank of the cause to replay; None: all failures.
        tries: of each combination.

    Raises:
        UsageError: there is no such cause, or nothing failed.
    """
    chosen = _cause(summary, cause)
    rate = chosen.precision if chosen else summary.failures.share
    most = min(MOST_COMBINATIONS, max(COMBINATIONS, ceil(clean_needed(rate) / tries)))
    combinations = choose(
        run,
        category=chosen.category if chosen else None,
        most=most,
        seed=summary.run.seed,
        among=matcher(run, chosen.conditions if chosen else ()),
    )
    return Replay(
        run=summary.run.name,
        order=interleaved(combinations, tries, summary.run.seed),
        rounds=tries,
        gap_s=gap_s,
        endings=(chosen.category,) if chosen else tuple(summary.failures.categories),
        rate=rate,
        cause=chosen.sentence if chosen else "",
    )


def _cause(summary: Summary, rank: int | None) -> Cause | None:
    if rank is None:
        return None
    for cause in summary.causes:
        if cause.rank == rank and cause.failures:
            return cause
    failing = [str(cause.rank) for cause in summary.causes if cause.failures]
    there_are = f"it has {', '.join(failing)}" if failing else "it has none"
    raise UsageError(
        f"the run {summary.run.name} has no cause {rank} of failures: {there_are}",
        f"See: tls-stress report {summary.run.name}",
    )


def replayed(replay: Replay, records: Iterable[Record]) -> tuple[Replayed, ...]:
    """How the tries of each combination ended. An outcome of ours does not count as a try."""
    counts: defaultdict[Combination, Counter[str]] = defaultdict(Counter)
    for record in records:
        if 0 <= record.id < len(replay.order):
            counted = counts[replay.order[record.id]]
            counted["tries"] += side_of(record.outcome) in {Side.TARGET, Side.NOBODY}
            counted["failures"] += record.outcome in replay.endings
    return tuple(
        Replayed(one, counts[one]["tries"], counts[one]["failures"])
        for one in dict.fromkeys(replay.order)
    )


def conclude(replay: Replay, records: Sequence[Record]) -> ReplayResult:
    """The answer of a replay from its rows."""
    otherwise = Counter(_otherwise(replay, records))
    tried = [record for record in records if side_of(record.outcome) in {Side.TARGET, Side.NOBODY}]
    if tried and otherwise.total() >= OTHERWISE * len(tried):
        return _changed(replay, otherwise, len(tried))
    found = answer(replayed(replay, records), replay.rate)
    prevented = len(records) - len(tried)
    if not prevented:
        return found
    more = f"{thousands(prevented)} tries failed on this machine, and do not count."
    return ReplayResult(found.answer, found.p_value, f"{found.sentence} {more}")


def _otherwise(replay: Replay, records: Iterable[Record]) -> Iterator[str]:
    """Failures of the target with other outcomes than the recorded ones."""
    for record in records:
        if side_of(record.outcome) is Side.TARGET and record.outcome not in replay.endings:
            yield record.outcome


def _changed(replay: Replay, otherwise: Counter[str], tries: int) -> ReplayResult:
    ending, count = otherwise.most_common(1)[0]
    sentence = (
        f"The target answers otherwise now: {thousands(count)} of {thousands(tries)} tries ended "
        f"with {ending}, so nothing can be said about {', '.join(replay.endings)}."
    )
    return ReplayResult(ReplayVerdict.TOO_FEW, 1.0, sentence)


def failing_first(found: Sequence[Replayed]) -> list[Replayed]:
    """Recorded failures first, and of those the ones that failed again."""
    return sorted(
        found, key=lambda one: (one.combination.role is not Role.FAILED, -one.failures, one.tries)
    )
