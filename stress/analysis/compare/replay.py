"""Replays: which combinations to try again, and whether the failure follows them.

A combination is what we choose about a connection: address, client, source address and local
port. Failing ones are tried again, interleaved in random order with as many good ones, several
times each. The unit of the test is the combination, not the try: tries of one combination are not
independent. So a permutation test shuffles which combinations had failed, never their tries.

That holds for failures that the connection decides. Failures that may depend on load (the rate, or
how many connections are open) would not come at the pace of single tries, and a limiter would seem
gone. Unless a chain decides, or every connection of a kind failed, the first one included, the
whole recorded load is offered again, and the failure rates are compared.

Only the recorded outcomes count as "failed again". A target that now answers in a different way
(gone, moved, refusing) proves nothing about them, and is reported as that.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import cycle, islice
from math import ceil, log
from random import Random

from stress.analysis.recording import readings
from stress.errors import UsageError
from stress.model.attributes import SHARED, Dimension
from stress.model.outcome import Kind, Outcome, Side, side_of
from stress.model.plan import Combination, Replay, Role
from stress.model.record import Record
from stress.model.run import Cells, Run
from stress.model.summary import Cause, Condition, Summary
from stress.text.escape import command
from stress.text.numbers import counted, of, percent, thousands

COMBINATIONS = 20
TRIES = 3
DRAWS = 1999
SURE = 0.01
NEARLY_ALWAYS = 0.8
SAMPLE = 5_000
MOST_COMBINATIONS = 100
"""Failing ones; with as many controls, three times each, that is 600 handshakes."""
OTHERWISE = 0.5
"""If at least this fraction of the tries has another outcome, there is no answer."""
MISSED = 0.1
"""Of the attempts: with more that were not sent, it was not the recorded load."""
ENOUGH_AGAIN = 0.5
"""A failure rate of at least this part of the recorded one (its lower bound) is the same fault."""
_REPLAYED = frozenset(dim for each in SHARED if each.replayed for dim in each.dimensions)
"""Dimensions by which failing attempts are selected."""
_CHOSEN = _REPLAYED | {"local_port"}
"""Dimensions that a replay of combinations repeats."""


class ReplayVerdict(StrEnum):
    """What a replay shows."""

    FOLLOWS = "follows"
    PARTLY = "partly"
    GONE = "gone"
    TOO_FEW = "too-few"


@dataclass(frozen=True, slots=True)
class Replayed:
    """A combination and how its tries ended. A busy local port is not a try."""

    combination: Combination
    tries: int
    failures: int


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """The answer, how sure it is, and a sentence to forward."""

    answer: ReplayVerdict
    p_value: float
    sentence: str


def choose(
    run: Run,
    *,
    category: str | None = None,
    most: int = COMBINATIONS,
    seed: int = 0,
    among: Callable[[Record], bool] = lambda _: True,
) -> tuple[Combination, ...]:
    """Failing combinations of a run and as many good ones, in a random order.

    Args:
        run: the recorded run.
        category: only failures of this category; None: all.
        most: how many failing combinations.
        seed: of the order.
        among: only these failures.

    Raises:
        UsageError: the run has no such failure.
    """
    random = Random(seed)  # noqa: S311 - an order, no secret
    distinct = dict.fromkeys(
        Combination(Role.FAILED, one.address, one.client, one.source, one.local_port)
        for one in run.failures(SAMPLE)
        if category in {None, one.outcome} and among(one)
    )
    if not distinct:
        kind = f" of the category {category!r}" if category else ""
        raise UsageError(
            f"the run {run.facts().name} has no failure{kind} to replay",
            "`tls-stress report` lists its failures by category"
            if category
            else "`tls-stress report` prints the commands that test again what it found",
        )
    chosen = random.sample(list(distinct), min(most, len(distinct)))
    # The controls: good combinations in the proportions of the run, on ports that never failed.
    good: Counter[tuple[int, int, int | None]] = Counter()
    for cell, attempts in Cells.of_cells(run.cube().cells).by_kind():
        if side_of(cell.outcome) is Side.NOBODY:
            good[cell.address, cell.client, cell.source] += attempts
    if good:
        count, ports = len(chosen), list[int | None]()
        ports += [one.port for one in run.ports() if one.attempts and not one.failures]
        random.shuffle(ports)
        keys = sorted(good, key=lambda key: (key[0], key[1], key[2] or 0))
        drawn = random.choices(keys, [good[key] for key in keys], k=count)
        for key, port in zip(drawn, islice(cycle(ports or [None]), count), strict=True):
            chosen.append(Combination(Role.GOOD, *key, port))
    random.shuffle(chosen)
    return tuple(chosen)


def interleaved(
    combinations: Sequence[Combination], tries: int = TRIES, seed: int = 0
) -> tuple[Combination, ...]:
    """Every combination so many times, each round in an order of its own.

    Without it an outage in the first half looks like "the failing ones fail again".
    """
    random = Random(seed)  # noqa: S311 - an order, no secret
    rounds = [random.sample(combinations, len(combinations)) for _ in range(tries)]
    return tuple(combination for one in rounds for combination in one)


def answer(replayed: Sequence[Replayed], rate: float = 1.0) -> ReplayResult:
    """Whether the failure follows the combinations.

    Args:
        replayed: the combinations that could be tried at all.
        rate: how often such a combination failed when it was recorded (the cause's precision).
    """
    tried = [one for one in replayed if one.tries]
    if not tried:
        sentence = "No failing combination could be tried again."
        return ReplayResult(ReplayVerdict.TOO_FEW, 1.0, sentence)
    failed = [one for one in tried if one.combination.role is Role.FAILED]
    good = [one for one in tried if one.combination.role is Role.GOOD]
    again, tries = sum(one.failures for one in failed), sum(one.tries for one in failed)
    good_failures = sum(one.failures for one in good)
    p, needed = 1.0, clean_needed(rate)
    if again or good_failures:
        shares, controls = ([one.failures / one.tries for one in each] for each in (failed, good))
        p = permuted(shares, controls)
        if p > SURE:
            answer = ReplayVerdict.PARTLY
            words = f"Still failing, but not tied to these combinations (permutation p = {p:.2f})"
        elif again >= NEARLY_ALWAYS * tries:
            answer = ReplayVerdict.FOLLOWS
            words = f"The failure follows the combination (permutation p = {p:.3f})"
        else:
            answer = ReplayVerdict.PARTLY
            words = f"The failure partly follows the combination (permutation p = {p:.3f})"
    elif tries >= needed:
        # A failure rate of `rate` would have been detected with 95% confidence.
        answer, words = ReplayVerdict.GONE, "No longer failing"
    else:
        answer = ReplayVerdict.TOO_FEW
        words = (
            f"No try failed, but at a failure rate of {percent(rate)} it takes {needed} tries to "
            f"tell, and there were {tries}"
        )
    figures = (
        f"{counted(len(failed), 'failing combination')} replayed: {of(again, tries)} failed again; "
        f"{counted(len(good), 'control combination')}: "
        f"{of(good_failures, sum(one.tries for one in good))}."
    )
    return ReplayResult(answer, p, f"{words}. {figures}")


def clean_needed(rate: float) -> int:
    """Clean tries that refute a cohort which failed at this rate (95%)."""
    return 1 if rate >= 0.95 else ceil(log(0.05) / log(1.0 - max(rate, 1e-6)))


def permuted(failed: Sequence[float], good: Sequence[float], seed: int = 0) -> float:
    """P-value of "no difference" by permuting which combinations had failed (one-sided)."""
    if not failed or not good:
        return 1.0
    random = Random(seed)  # noqa: S311 - a test, no secret
    pooled = [*failed, *good]
    observed = sum(failed)
    hits = 0
    for _ in range(DRAWS):
        random.shuffle(pooled)
        hits += sum(pooled[: len(failed)]) >= observed - 1e-9
    return (hits + 1) / (DRAWS + 1)


def matcher(run: Run, conditions: Sequence[Condition]) -> Callable[[Record], bool]:
    """A function that says whether an attempt of this run meets the conditions.

    Conditions about what cannot be chosen again (a chain, a time, a sample of ports) are met by
    every attempt.
    """
    wanted = [
        (condition, one)
        for one in readings(run.facts(), run.addresses(), {})
        for condition in conditions
        if condition.dimension == one.dimension and one.dimension in _REPLAYED
    ]

    def meets(record: Record) -> bool:
        for condition, (_, attribute, text) in wanted:
            recorded = getattr(record, attribute)
            if not condition.allows(None if recorded is None else text(recorded)):
                return False
        return True

    return meets


def load_may_decide(summary: Summary, chosen: Cause | None) -> bool:
    """Whether the failures of a run, or those of one of its causes, may depend on load."""

    def independent(cause: Cause) -> bool:
        chosen = {condition.dimension for condition in cause.conditions} <= _CHOSEN
        return (chosen and cause.precision == 1.0) or _decided_by_chain(cause.category)

    if chosen is not None:
        return not independent(chosen)
    every = summary.failures.share == 1.0
    if every or all(map(_decided_by_chain, summary.failures.categories)):
        return False
    causes = (cause for cause in summary.causes if cause.failures)
    return summary.unexplained.failures > 0 or not all(map(independent, causes))


def _decided_by_chain(category: str) -> bool:
    return Outcome.parse(category).kind is Kind.TRUST


def replay_of(
    run: Run, summary: Summary, *, gap_s: float, cause: int | None = None, tries: int = TRIES
) -> Replay:
    """What of a recorded run to try again: combinations, or its load where that may decide.

    Args:
        run: the recorded run.
        summary: its answer.
        gap_s: wait between two rounds.
        cause: rank of the cause to replay; None: all failures.
        tries: of each combination.

    Raises:
        UsageError: there is no such cause, or nothing failed.
    """
    failing = {one.rank: one for one in summary.causes if one.failures}
    if cause is not None and cause not in failing:
        there_are = f"it has {', '.join(map(str, failing))}" if failing else "it has none"
        raise UsageError(
            f"the run {summary.run.name} has no cause {cause} of failures: {there_are}",
            f"See: {command('report', summary.run.name)}",
        )
    chosen = None if cause is None else failing[cause]
    endings = (chosen.category,) if chosen else tuple(summary.failures.categories)
    sentence = chosen.sentence if chosen else ""
    if summary.failures.count and load_may_decide(summary, chosen):
        # Such failures come together: what the run's own interval allows has to be refuted.
        low = summary.failures.interval.low
        if chosen:
            low *= summary.failures.categories[chosen.category] / summary.failures.count
        return Replay(summary.run.name, (), 1, 0.0, endings, low, sentence)
    rate = chosen.precision if chosen else summary.failures.share
    if chosen and any(one.dimension == Dimension.BACKEND for one in chosen.conditions):
        rate = chosen.failures / summary.attempts  # the balancer chooses the server anew
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
        endings=endings,
        rate=rate,
        cause=sentence,
    )


def replayed(replay: Replay, records: Iterable[Record]) -> tuple[Replayed, ...]:
    """How the tries of each combination ended. An outcome of ours does not count as a try."""
    counts: defaultdict[Combination, Counter[str]] = defaultdict(Counter)
    for record in records:
        if 0 <= record.id < len(replay.order):
            ended = counts[replay.order[record.id]]
            ended["tries"] += side_of(record.outcome) in {Side.TARGET, Side.NOBODY}
            ended["failures"] += record.outcome in replay.endings
    return tuple(
        Replayed(one, counts[one]["tries"], counts[one]["failures"])
        for one in dict.fromkeys(replay.order)
    )


def conclude(replay: Replay, records: Sequence[Record]) -> ReplayResult:
    """The answer of a replay from its rows."""
    tried = [record for record in records if side_of(record.outcome) in {Side.TARGET, Side.NOBODY}]
    # Failures of the target with other outcomes than the recorded ones.
    failed = [one.outcome for one in tried if side_of(one.outcome) is Side.TARGET]
    otherwise = Counter(one for one in failed if one not in replay.endings)
    if tried and otherwise.total() >= OTHERWISE * len(tried):
        ending, count = otherwise.most_common(1)[0]
        sentence = (
            f"The target now fails differently: {thousands(count)} of {thousands(len(tried))} "
            f"tries ended with {ending}, so this says nothing about {', '.join(replay.endings)}."
        )
        return ReplayResult(ReplayVerdict.TOO_FEW, 1.0, sentence)
    prevented = len(records) - len(tried)
    if replay.at_load:
        again = sum(one.outcome in replay.endings for one in tried)
        found = _answer_at_load(replay, again, len(tried), prevented)
    else:
        found = answer(replayed(replay, records), replay.rate)
    words = [found.sentence]
    # A balancer chooses the server anew: what fails again may be a server and no combination.
    ended = [(one.backend, one.outcome in replay.endings) for one in tried if one.backend]
    failing = {name for name, failed_again in ended if failed_again}
    if len(failing) == 1 and len({name for name, _ in ended}) > 1:
        (name,) = failing
        there = [failed_again for backend, failed_again in ended if backend == name]
        where = Dimension.BACKEND.phrase(name).removeprefix("behind ")
        words.append(
            f"Of the tries known to have met {where} {of(sum(there), len(there))} failed again; "
            f"of {thousands(len(ended) - len(there))} known to have met another, none."
        )
    if prevented:
        words.append(
            f"{thousands(prevented)} tries failed on this machine or were not sent: not counted."
        )
    return ReplayResult(found.answer, found.p_value, " ".join(words))


def _answer_at_load(replay: Replay, again: int, tries: int, prevented: int) -> ReplayResult:
    """Whether the recorded load still makes connections fail."""
    figures = f"{of(again, tries)} failed again"
    needed = clean_needed(replay.rate)
    if again >= ENOUGH_AGAIN * replay.rate * tries and again:
        verdict, words = ReplayVerdict.FOLLOWS, "The recorded load still makes connections fail"
    elif again:
        words = f"Still failing at the recorded load, but below {percent(replay.rate)}"
        verdict = ReplayVerdict.PARTLY
    elif prevented > MISSED * (tries + prevented):
        verdict, words = ReplayVerdict.TOO_FEW, "No try failed, but the load was not reproduced"
    elif tries >= needed:
        verdict, words = ReplayVerdict.GONE, "No longer failing at the recorded load"
    else:
        verdict = ReplayVerdict.TOO_FEW
        words = (
            f"No try failed, but at a failure rate of {percent(replay.rate)} it takes"
            f" {thousands(needed)} tries to tell"
        )
    return ReplayResult(verdict, 1.0, f"{words}: {figures}.")


def failing_first(found: Sequence[Replayed]) -> list[Replayed]:
    """Recorded failures first, and of those the ones that failed again."""
    return sorted(
        found, key=lambda one: (one.combination.role is not Role.FAILED, -one.failures, one.tries)
    )
