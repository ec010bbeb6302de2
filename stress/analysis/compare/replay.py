"""Replays: which combinations to try again, and whether the failure follows them.

A combination is what we choose about a connection: address, client, source address and local
port. Failing ones are tried again, interleaved in random order with as many that were good, several
times each. The unit of the test is the combination, not the try: tries of one combination are not
independent, so the failing and the good combinations are permuted, never their tries.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import cycle, islice
from math import ceil, log
from random import Random

from stress.analysis.tally import side_of
from stress.errors import UsageError
from stress.model.outcome import Side
from stress.model.plan import Combination, Role
from stress.model.record import Record
from stress.model.run import Run
from stress.text.numbers import of, percent

__all__ = [
    "Combination",
    "ReplayResult",
    "ReplayVerdict",
    "Replayed",
    "Role",
    "answer",
    "choose",
    "clean_needed",
    "interleaved",
    "permuted",
]

COMBINATIONS = 20
TRIES = 3
DRAWS = 1999
SURE = 0.01
NEARLY_ALWAYS = 0.8
SAMPLE = 5_000


class ReplayVerdict(StrEnum):
    """What a replay says."""

    FOLLOWS = "follows"
    PARTLY = "partly"
    GONE = "gone"
    TOO_FEW = "too-few"


@dataclass(frozen=True, slots=True)
class Replayed:
    """A combination and how its tries ended. A busy local port is no try."""

    combination: Combination
    tries: int
    failures: int


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """The answer, how sure it is, and the sentence to forward."""

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
        category: only failures of this kind; None: all.
        most: how many failing combinations.
        seed: of the order.
        among: only those failures.

    Raises:
        UsageError: the run has no such failure.
    """
    random = Random(seed)  # noqa: S311 - an order, no secret
    failed = list(_failed(run, category, among))
    if not failed:
        kind = f" of the kind {category!r}" if category else ""
        raise UsageError(
            f"the run {run.facts().name} has no failure{kind} to replay",
            "`tls-stress report` lists its kinds of failure",
        )
    failed = random.sample(failed, min(most, len(failed)))
    chosen = [*failed, *_controls(run, len(failed), random)]
    random.shuffle(chosen)
    return tuple(chosen)


def _failed(
    run: Run, category: str | None, among: Callable[[Record], bool]
) -> Iterator[Combination]:
    """Distinct combinations of recorded failures."""
    seen = dict.fromkeys(
        Combination(Role.FAILED, one.address, one.client, one.source, one.local_port)
        for one in run.failures(SAMPLE)
        if category in {None, one.outcome} and among(one)
    )
    yield from seen


def _controls(run: Run, count: int, random: Random) -> Iterator[Combination]:
    """Good combinations in the proportions of the run, on ports that never failed."""
    good: Counter[tuple[int, int, int | None]] = Counter()
    for cell in run.cube().cells:
        if side_of(cell.outcome) is Side.NOBODY:
            good[cell.address, cell.client, cell.source] += cell.count
    if not good:
        return
    ports: list[int | None] = [one.port for one in run.ports() if one.attempts and not one.failures]
    random.shuffle(ports)
    keys = sorted(good, key=lambda key: (key[0], key[1], key[2] or 0))
    drawn = random.choices(keys, [good[key] for key in keys], k=count)
    for key, port in zip(drawn, islice(cycle(ports or [None]), count), strict=True):
        yield Combination(Role.GOOD, *key, port)


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
    failed = [one for one in tried if one.combination.role is Role.FAILED]
    good = [one for one in tried if one.combination.role is Role.GOOD]
    again, tries = sum(one.failures for one in failed), sum(one.tries for one in failed)
    figures = (
        f"{_combinations(len(failed), 'failing')} replayed: {of(again, tries)} failed again; "
        f"{_combinations(len(good), 'control')}: "
        f"{of(sum(one.failures for one in good), sum(one.tries for one in good))}"
    )
    if not tries:
        return ReplayResult(
            ReplayVerdict.TOO_FEW, 1.0, "No failing combination could be tried again."
        )
    if not again and not any(one.failures for one in good):
        return _gone(figures, tries, rate)
    p = permuted(_shares(failed), _shares(good))
    return _followed(figures, p, again / tries)


def _followed(figures: str, p: float, again: float) -> ReplayResult:
    if p <= SURE and again >= NEARLY_ALWAYS:
        words = f"The failure follows the combination (permutation p = {p:.3f})"
        return ReplayResult(ReplayVerdict.FOLLOWS, p, f"{words}. {figures}.")
    if p <= SURE:
        words = f"It follows the combination in part (permutation p = {p:.3f})"
        return ReplayResult(ReplayVerdict.PARTLY, p, f"{words}. {figures}.")
    words = f"Still there, but not tied to the combination (permutation p = {p:.2f})"
    return ReplayResult(ReplayVerdict.PARTLY, p, f"{words}. {figures}.")


def _gone(figures: str, tries: int, rate: float) -> ReplayResult:
    """Nothing failed: gone, if a share of `rate` would have shown with 95%."""
    needed = clean_needed(rate)
    if tries >= needed:
        return ReplayResult(ReplayVerdict.GONE, 1.0, f"No longer there. {figures}.")
    return ReplayResult(
        ReplayVerdict.TOO_FEW,
        1.0,
        f"Nothing failed, but {tries} tries are too few where {percent(rate)} failed: "
        f"{needed} are needed. {figures}.",
    )


def clean_needed(rate: float) -> int:
    """Clean tries that refute a cohort which failed at this rate (95%)."""
    return 1 if rate >= 0.95 else ceil(log(0.05) / log(1.0 - max(rate, 1e-6)))


def _combinations(count: int, kind: str) -> str:
    return f"{count} {kind} combination{'' if count == 1 else 's'}"


def _shares(replayed: Sequence[Replayed]) -> list[float]:
    return [one.failures / one.tries for one in replayed]


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
