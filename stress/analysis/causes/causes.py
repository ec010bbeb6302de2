"""All causes of a run: every class of failures isolated, told, graded, with fix and next step.

Imported late: it needs numpy and scipy.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from stress.analysis.causes import inconsistencies as odd
from stress.analysis.causes.changes import Shape
from stress.analysis.causes.classes import (
    FAILURE,
    INCONSISTENCY,
    Explanation,
    FailureClass,
    failure_classes,
)
from stress.analysis.causes.experiments import confirm, more
from stress.analysis.causes.isolation import SURE, Grade, Isolation, Meaning, Slice, isolate
from stress.analysis.causes.likely import Signs, likely
from stress.analysis.causes.load import (
    CONCENTRATED,
    Elasticity,
    LoadShape,
    elasticity,
    segments,
    verdict,
)
from stress.analysis.causes.periodicity import period, round_robin
from stress.analysis.causes.ports import PortFinding, port_structure
from stress.analysis.chains import difference, reference, short, subject
from stress.analysis.dimensions import Dimension
from stress.analysis.proportions.binomial import risk_ratio
from stress.analysis.proportions.clusters import Timeline
from stress.analysis.recording import Recording, reread_by_load
from stress.analysis.tally import RunCounts
from stress.analysis.wording.advice import remedy
from stress.analysis.wording.cohorts import (
    alike,
    alone_sentence,
    locus_sentence,
    no_finding,
    place,
    port_sentence,
)
from stress.model.run import SeenChain
from stress.model.summary import Cause, ClientView, Condition, RiskRatio
from stress.model.verdict import Verdict
from stress.text.numbers import of, seconds
from stress.trust import chain_views, client_views

EVERY_ONE = "Every handshake failed: there is no good one to compare with."
NO_PLACE = "none"
"""How the catalogue says that nothing tells the failing connections apart."""
MOSTLY = 0.8
"""Local ports may explain a kind of failure that makes up this share of all failures."""
FEWEST_LEFT = 3
"""Failures of a known mechanism outside its places: fewer are left unexplained."""
SAME_EVERYWHERE = (
    "Nothing fails. Unless a renewal is being rolled out right now, deploy one certificate "
    "with one chain to every node."
)


def explain(recording: Recording, tally: RunCounts) -> Explanation:
    """Isolates every class of failures, then the inconsistencies."""
    follows = _elasticity(recording)
    if recording.facts.limits or (follows and follows.shape is LoadShape.DEPENDENT):
        recording = reread_by_load(recording)
    isolations = [isolate(recording, one) for one in failure_classes(recording.table)]
    teller = _Teller(recording, tally, follows.shape.value if follows else None)
    failing = [cause for isolation in isolations for cause in teller.causes(isolation)]
    failing.sort(key=lambda cause: (-cause.failures, cause.category, cause.sentence))
    differing = [teller.inconsistency(found) for found in odd.inconsistencies(recording)]
    causes = tuple(
        replace(cause, rank=rank) for rank, cause in enumerate([*failing, *differing], start=1)
    )
    left = tally.failures - sum(cause.failures for cause in causes)
    concentrated = any(
        _placed(cause) and cause.failures >= CONCENTRATED * tally.failures for cause in failing
    )
    return Explanation(
        causes,
        left,
        _silence(teller, isolations, left),
        verdict(follows, concentrated=concentrated),
    )


def _placed(cause: Cause) -> bool:
    """Whether it names a place; a chain of its own is one, the load itself is none."""
    conditions = [one for one in cause.conditions if one.dimension != Dimension.RATE.value]
    return bool(conditions) or cause.mechanism is not None


def _elasticity(recording: Recording) -> Elasticity | None:
    """How the failing share follows the load, when that was varied; a search does not at random."""
    facts, cube = recording.facts, recording.cube
    return elasticity(segments(facts.plan.load, cube)) if cube and not facts.limits else None


def _silence(teller: _Teller, isolations: Sequence[Isolation], left: int) -> str:
    if not left:
        return ""
    alone = [one for one in isolations if one.failing.chain is None and not one.loci]
    turns = [turn for turn in map(teller.turn, alone) if turn]
    if turns:
        return f"{turns[0]}."
    if teller.tally.failures == teller.tally.attempts:
        return EVERY_ONE
    widest = max(isolations, key=lambda isolation: isolation.considered)
    varies = any(isolation.varies for isolation in isolations)
    return no_finding(left, widest.considered, widest.hypotheses) if varies else alike(left)


class _Teller:
    """Makes the nouns of the summary out of what was isolated."""

    def __init__(self, recording: Recording, tally: RunCounts, load: str | None) -> None:
        self.recording, self.tally, self.load = recording, tally, load
        self.usual = reference(tuple(recording.chains.values()), tally.good_chains)

    def causes(self, isolation: Isolation) -> Iterator[Cause]:
        """One cause for each place; the mechanism alone for what is met in no special place."""
        told = 0
        for locus in isolation.loci:
            told += locus.cohort.failures
            yield self.at(isolation, locus)
        left = isolation.failing.count - told
        by_port = None if told else self.port(isolation)
        if by_port is not None:
            cause = self.from_ports(isolation, by_port)
            told, left = cause.failures, left - cause.failures
            yield cause
        if isolation.failing.chain is not None and (not told or left >= FEWEST_LEFT):
            yield self.alone(isolation, left)

    def port(self, isolation: Isolation) -> PortFinding | None:
        """What the failing local ports share; ports are counted over all kinds of failures."""
        mine = isolation.failing.count >= MOSTLY * self.tally.failures
        return port_structure(self.recording.ports) if mine else None

    def turn(self, isolation: Isolation) -> str:
        """Whether the failing connections come in turn; empty when not."""
        starts = [
            one.id for one in self.recording.failing if one.outcome == isolation.failing.outcome
        ]
        share = self.tally.failures / max(1, self.tally.attempts)
        found = round_robin(starts, share, self.recording.facts.plan.load.processes)
        if found is not None:
            return found.sentence
        again = period(self.line(isolation.failing))
        return f"They come back about every {seconds(again.seconds)}" if again else ""

    def line(self, failing: FailureClass) -> Timeline:
        """A class of failures over time."""
        table, rows = self.recording.table, failing.reached
        sums = [
            np.bincount(table.blocks[rows], weights=weights[rows]).astype(np.int64).tolist()
            for weights in (table.counts, failing.failures)
        ]
        return Timeline(tuple(sums[0]), tuple(sums[1]), self.recording.block_ns)

    def at(self, isolation: Isolation, locus: Slice) -> Cause:
        """A cause with a place."""
        cohort, failing = locus.cohort, isolation.failing
        loci = {one.dimension.value for way in (locus.conditions, *locus.aliases) for one in way}
        if loci == {Dimension.TIME.value}:
            loci.add(NO_PLACE if failing.chain is None else Dimension.CHAIN.value)
        return Cause(
            rank=0,
            category=failing.outcome,
            kind=FAILURE,
            mechanism=self.mechanism(failing),
            conditions=_conditions(locus.conditions),
            aliases=tuple(_conditions(way) for way in locus.aliases),
            failures=cohort.failures,
            attempts=cohort.attempts,
            precision=cohort.failures / cohort.attempts,
            recall=cohort.failures / failing.count,
            risk_ratio=locus.ratio,
            p_value=cohort.adjusted,
            grade=locus.grade.value,
            sentence=self.with_mechanism(
                failing,
                locus_sentence(self.recording, isolation, locus),
                timed=isolation.course.shape is not Shape.CONSTANT,
            ),
            likely=self.likely(failing, loci, _shape(locus, isolation)),
            fix=remedy(failing.outcome, self.chain(failing)),
            clients=self.clients(failing),
            next=confirm(self.recording, locus, failing.outcome),
        )

    def from_ports(self, isolation: Isolation, found: PortFinding) -> Cause:
        """A cause that is told by the local port; whatever decides the ending is its mechanism."""
        failing, where = isolation.failing, Meaning(Dimension.LOCAL_PORT, found.text)
        rest = self.tally.failures - found.failures
        hits = min(found.failures, failing.count)
        return Cause(
            rank=0,
            category=failing.outcome,
            kind=FAILURE,
            mechanism=self.mechanism(failing),
            conditions=_conditions((where,)),
            aliases=(),
            failures=hits,
            attempts=found.attempts,
            precision=found.failures / max(1, found.attempts),
            recall=hits / failing.count,
            risk_ratio=risk_ratio(
                found.failures, found.attempts, rest, self.tally.attempts - found.attempts
            ),
            p_value=found.p_value,
            grade=Grade.STRONG.value if found.p_value <= SURE else Grade.SUGGESTED.value,
            sentence=self.with_mechanism(
                failing, port_sentence(found, failing.count, rest, self.tally.attempts)
            ),
            likely=self.likely(failing, [Dimension.LOCAL_PORT.value], isolation.course.shape.value),
            fix=remedy(failing.outcome, self.chain(failing)),
            clients=self.clients(failing),
        )

    def alone(self, isolation: Isolation, failures: int) -> Cause:
        """The mechanism by itself."""
        failing = isolation.failing
        table = self.recording.table
        met = int(table.counts[failing.reached & (table.chains == failing.chain)].sum())
        return Cause(
            rank=0,
            category=failing.outcome,
            kind=FAILURE,
            mechanism=self.mechanism(failing),
            conditions=(),
            aliases=(),
            failures=failures,
            attempts=met,
            precision=failing.count / met if met else 0.0,
            recall=failures / failing.count,
            risk_ratio=RiskRatio(None, 1.0, None),
            p_value=1.0,
            grade=Grade.BY_DEFINITION.value,
            sentence=alone_sentence(
                self.recording,
                isolation,
                self.named(failing),
                (failures, met),
                self.turn(isolation),
            ),
            likely=self.likely(failing, ["chain"], isolation.course.shape.value),
            fix=remedy(failing.outcome, self.chain(failing)),
            clients=self.clients(failing),
            next=more(self.recording, failing.count, self.tally.attempts),
        )

    def inconsistency(self, found: odd.Inconsistency) -> Cause:
        """Two good answers; where the odd one is met, when that is known."""
        locus = next(iter(found.isolation.loci), None)
        where = f", {place(locus.conditions)}" if locus else ""
        return Cause(
            rank=0,
            category=found.name,
            kind=INCONSISTENCY,
            mechanism=Condition(Dimension.CHAIN.value, short(found.odd)),
            conditions=_conditions(locus.conditions) if locus else (),
            aliases=tuple(_conditions(way) for way in locus.aliases) if locus else (),
            failures=0,
            attempts=found.met,
            precision=locus.cohort.failures / locus.cohort.attempts if locus else 0.0,
            recall=locus.cohort.failures / found.met if locus else 0.0,
            risk_ratio=locus.ratio if locus else RiskRatio(None, 1.0, None),
            p_value=locus.cohort.adjusted if locus else 1.0,
            grade=(locus.grade if locus else Grade.BY_DEFINITION).value,
            sentence=odd.sentence(found, where),
            likely=(),
            fix=SAME_EVERYWHERE,
            clients={},
            next=confirm(self.recording, locus) if locus else "",
        )

    def mechanism(self, failing: FailureClass) -> Condition | None:
        """The chain that decides this ending, None when none does."""
        if failing.chain is None:
            return None
        return Condition(Dimension.CHAIN.value, self.named(failing))

    def chain(self, failing: FailureClass) -> SeenChain | None:
        """The chain that decides this ending."""
        return None if failing.chain is None else self.recording.chains.get(failing.chain)

    def clients(self, failing: FailureClass) -> Mapping[str, ClientView]:
        """Who would see it: each family's answer to that very chain, where a chain decides."""
        chain = self.chain(failing)
        if chain is None:
            return client_views(failing.outcome)
        met: dict[str, Verdict] = {}
        for one in self.recording.verdicts:
            # Judged again when a date was crossed; the verdict that refuses is the one in question.
            if one.chain == chain.sha256 and (one.headline or one.policy not in met):
                met[one.policy] = one
        return chain_views(failing.outcome, met)

    def named(self, failing: FailureClass) -> str:
        """The chain's short hash; its number when the run does not hold it."""
        chain = self.chain(failing)
        return short(chain) if chain else f"#{failing.chain}"

    def with_mechanism(self, failing: FailureClass, sentence: str, *, timed: bool = False) -> str:
        """The place first, then what failed there."""
        if failing.chain is None:
            return sentence
        table = self.recording.table
        met = int(table.counts[failing.reached & (table.chains == failing.chain)].sum())
        always = (
            "it always fails" if met == failing.count else f"it failed {of(failing.count, met)}"
        )
        chain = self.chain(failing)
        met_at = ""
        if chain and met == failing.count and timed:
            met_at = f", first met at {self.recording.instant(chain.first_ns)}"
        return f"{sentence} What fails is chain {self.named(failing)}: {always}{met_at}."

    def likely(self, failing: FailureClass, loci: Collection[str], shape: str) -> tuple[str, ...]:
        chain = self.chain(failing)
        other = difference(self.usual, chain) if chain and self.usual else ""
        return likely(
            Signs(failing.outcome, loci, shape, self.load, subject(chain) if chain else "", other)
        )


def _shape(locus: Slice, isolation: Isolation) -> str:
    timed = any(one.dimension is Dimension.TIME for one in locus.conditions)
    return (isolation.course if timed else locus.course).shape.value


def _conditions(meanings: Sequence[Meaning]) -> tuple[Condition, ...]:
    return tuple(Condition(one.dimension.value, one.value) for one in meanings)
