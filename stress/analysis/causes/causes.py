"""All claims of a run: isolates every class of failures, then finds valid answers that differ.

Imported late: it needs numpy and scipy.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from math import ceil, log, sqrt

import numpy as np

from stress.analysis.causes.changes import Instant, TimeProfile, period, rhythm, round_robin
from stress.analysis.causes.classes import FailureClass, failure_classes
from stress.analysis.causes.cohorts import Mask
from stress.analysis.causes.inconsistencies import Inconsistency, inconsistencies
from stress.analysis.causes.isolation import (
    SURE,
    Grade,
    Isolation,
    Slice,
    SliceCondition,
    isolate,
    time_columns,
)
from stress.analysis.causes.likely import (
    Signs,
    facts_of_the_chain,
    facts_of_the_clients,
    facts_of_the_place,
    facts_of_the_plan,
    likely,
)
from stress.analysis.causes.load import (
    CONCENTRATED,
    STEEPEST,
    Elasticity,
    LoadShape,
    elasticity,
    segments,
)
from stress.analysis.causes.ports import PortFinding, Structure, port_structure
from stress.analysis.chains import difference, issuer, reference, short, subject
from stress.analysis.dimensions import Dimension
from stress.analysis.proportions.binomial import risk_ratio
from stress.analysis.proportions.estimate import BlockCounts
from stress.analysis.recording import Recording, reread_by_load
from stress.analysis.tally import RunCounts
from stress.analysis.verdict import duration_s
from stress.codes.catalog import chain_views, client_views
from stress.model.chain import Verdict
from stress.model.claims import (
    Basis,
    Claim,
    ClaimSet,
    FailureCount,
    LoadClaim,
    Mechanism,
    Recurrence,
    RunChange,
    Shape,
    Silence,
    Timing,
    UnexplainedClaim,
)
from stress.model.outcome import Category
from stress.model.run import SeenChain
from stress.model.summary import ClientView, Comparator, Condition

NO_PLACE = "none"
"""How the catalogue says that nothing tells the failing connections apart."""
MOSTLY = 0.8
"""Local ports may explain a class of failures that makes up this part of all failures."""
FEWEST_LEFT = 3
"""Failures of a known mechanism outside its places: fewer are left unexplained."""
ALWAYS = 0.99
CERTAIN = 0.99
"""At least one failure shows in an experiment with this confidence, if the claim is right."""
FEWEST, MOST = 20, 20_000
"""Handshakes of an experiment."""
SLOWER = 4.0
LEAST_RATE = 20.0
ENOUGH_FAILURES = 20
"""Failures that isolation needs."""
_OF_LOAD = {
    Category.REFUSED,
    Category.TIMEOUT_CONNECT,
    Category.TIMEOUT_HANDSHAKE,
    Category.RESET,
    Category.EOF,
}
"""What a target may do when the load is too high."""
_RANGE = "–"  # noqa: RUF001 - as the search writes ranges


def explain(recording: Recording, tally: RunCounts) -> ClaimSet:
    """Isolates every class of failures, then the inconsistencies."""
    facts, cube = recording.facts, recording.cube
    # A search for the limit does not vary the load at random, so it shows no elasticity.
    follows = elasticity(segments(facts.plan.load, cube)) if cube and not facts.limits else None
    if facts.limits or (follows and follows.shape is LoadShape.DEPENDENT):
        recording = reread_by_load(recording)
    isolations = [isolate(recording, one) for one in failure_classes(recording.table)]
    finder = _Claimant(recording, tally, isolations, follows)
    failing = [claim for isolation in isolations for claim in finder.claims(isolation)]
    # Ties are broken by name, so that the order of the rows changes nothing.
    failing.sort(
        key=lambda one: (
            -one.failures,
            one.category,
            one.mechanism.name if one.mechanism else "",
            tuple(map(str, one.conditions)),
        )
    )
    left = tally.failures - sum(claim.failures for claim in failing)
    return ClaimSet(
        (*failing, *map(finder.inconsistency, inconsistencies(recording))),
        finder.unexplained(left),
        _load_claim(follows, failing, tally),
    )


def _load_claim(
    found: Elasticity | None, failing: Sequence[Claim], tally: RunCounts
) -> LoadClaim | None:
    """Whether failures follow the load, and whether one place holds most of them."""
    if found is None:
        return None
    undecided = found.shape is LoadShape.UNDECIDED
    # A chain of its own is a place, the load itself is none.
    placed = [
        claim
        for claim in failing
        if claim.mechanism or any(one.dimension != Dimension.RATE for one in claim.conditions)
    ]
    return LoadClaim(
        dependent=None if undecided else found.shape is LoadShape.DEPENDENT,
        concentrated=any(one.failures >= CONCENTRATED * tally.failures for one in placed),
        elasticity=found.value if found.value < STEEPEST - 1.0 else None,
        low=found.low if found.value < STEEPEST - 1.0 else min(found.low, STEEPEST - 1.0),
        high=found.high,
        segments=found.segments,
        slowest=found.slowest,
        fastest=found.fastest,
    )


class _Claimant:
    """Makes claims out of what was isolated."""

    def __init__(
        self,
        recording: Recording,
        tally: RunCounts,
        isolations: Sequence[Isolation],
        follows: Elasticity | None,
    ) -> None:
        self.recording, self.tally, self.isolations = recording, tally, isolations
        self.load = follows.shape.value if follows else None
        self.usual = reference(tuple(recording.chains.values()), tally.good_chains)

    def claims(self, isolation: Isolation) -> Iterator[Claim]:
        """One claim for each place; the mechanism alone for failures in no special place.

        Places may overlap. A failure counts for the first claim that it matches, the largest first.
        """
        failures, explained = isolation.failing.failures, 0
        places = [(locus, self.rows(isolation, locus.conditions)) for locus in isolation.slices]
        earlier: list[tuple[tuple[Condition, ...], Mask]] = []
        free = np.ones(len(failures), dtype=np.bool_)
        while places:
            places.sort(key=lambda one: -int(failures[one[1] & free].sum()))
            locus, rows = places.pop(0)
            own = int(failures[rows & free].sum())
            if not own:
                break
            both = ((name, int(failures[rows & other].sum())) for name, other in earlier)
            shared = tuple((name, count) for name, count in both if count)
            explained += own
            yield self.at(isolation, locus, own, shared)
            earlier.append((conditions(locus.conditions), rows & free))
            free &= ~rows
        left = isolation.failing.count - explained
        # Ports are counted over all kinds of failures, so this kind must make up most of them.
        if not explained and isolation.failing.count >= MOSTLY * self.tally.failures:
            by_port = port_structure(self.recording.ports)
            if by_port is not None:
                claim = self.from_ports(isolation, by_port)
                explained, left = claim.failures, left - claim.failures
                yield claim
        if isolation.failing.chain is not None and (not explained or left >= FEWEST_LEFT):
            yield self.alone(isolation, left)

    def rows(self, isolation: Isolation, meanings: Sequence[SliceCondition]) -> Mask:
        """All attempts of the run that fulfil these conditions, as rows of the table."""
        table = self.recording.table
        inside = np.ones(len(table), dtype=np.bool_)
        for one in meanings:
            if one.dimension is Dimension.TIME:
                pieces = time_columns(self.recording, isolation.time_profile, table.blocks)
                column = next((each for each in pieces if one.value in each.values), None)
            else:
                column = table.holding(one.dimension, one.value)
            assert column is not None
            inside &= column.codes == column.values.index(one.value)
        return inside

    def counted(self, isolation: Isolation, meanings: Sequence[SliceCondition]) -> FailureCount:
        """All attempts that fulfil these conditions, and those that failed like this class."""
        rows = self.rows(isolation, meanings)
        failures, attempts = isolation.failing.failures, self.recording.table.counts
        return FailureCount(int(failures[rows].sum()), int(attempts[rows].sum()))

    def at(
        self,
        isolation: Isolation,
        locus: Slice,
        own: int,
        shared: tuple[tuple[tuple[Condition, ...], int], ...],
    ) -> Claim:
        """A claim with a place."""
        cohort, failing = locus.cohort, isolation.failing
        inside = self.counted(isolation, locus.conditions)
        ways = (locus.conditions, *locus.aliases)
        loci = {one.dimension.value for way in ways for one in way}
        if loci == {Dimension.TIME.value}:
            loci.add(NO_PLACE if failing.chain is None else Dimension.CHAIN.value)
        timed = any(one.dimension is Dimension.TIME for one in locus.conditions)
        rated = any(one.dimension is Dimension.RATE for one in locus.conditions)
        shape = (isolation.time_profile if timed else locus.time_profile).shape
        place = {one.dimension.value: one.value for way in reversed(ways) for one in way}
        found = set(facts_of_the_place(place, self.recording.facts.plan))
        if cohort.failures >= ALWAYS * cohort.attempts:
            found.add("always-fails-there")
        hot = next(iter(locus.hot), None)
        return Claim(
            basis=Basis.CONDITIONS,
            category=failing.outcome,
            mechanism=self.mechanism(failing),
            failures=own,
            risk_ratio=locus.ratio,
            p_value=cohort.adjusted,
            grade=locus.grade.value,
            likely=self.likely(failing, loci, shape, found),
            conditions=conditions(locus.conditions),
            aliases=tuple(map(conditions, locus.aliases)),
            rivals=tuple(map(conditions, locus.rivals)),
            total=FailureCount(failing.count, self.tally.attempts),
            inside=inside,
            elsewhere=FailureCount(
                failing.count - inside.failures, self.tally.attempts - inside.attempts
            ),
            shared=shared,
            worst=(conditions(hot[0]), self.counted(isolation, hot[0])) if hot else None,
            timing=self.timing(locus.time_profile, locus.onset),
            onset_at_chain=isolation.time_profile.shape is not Shape.CONSTANT,
            backlog=rated and bool(self.recording.owed),
            searched=rated and bool(self.recording.facts.limits),
            clients=self.clients(failing),
            experiment=confirm(self.recording, locus, failing.outcome),
        )

    def from_ports(self, isolation: Isolation, found: PortFinding) -> Claim:
        """A claim about the local port."""
        failing = isolation.failing
        rest = self.tally.failures - found.failures
        outside = self.tally.attempts - found.attempts
        return Claim(
            basis=Basis.PORTS,
            category=failing.outcome,
            mechanism=self.mechanism(failing),
            failures=min(found.failures, failing.count),
            risk_ratio=risk_ratio(found.failures, found.attempts, rest, outside),
            p_value=found.p_value,
            grade=Grade.STRONG.value if found.p_value <= SURE else Grade.SUGGESTED.value,
            likely=self.likely(failing, [Dimension.LOCAL_PORT.value], isolation.time_profile.shape),
            conditions=(Condition(Dimension.LOCAL_PORT.value, found.text),),
            # Ports are counted over all kinds of failures.
            total=FailureCount(self.tally.failures, self.tally.attempts),
            inside=FailureCount(found.failures, found.attempts),
            elsewhere=FailureCount(rest, outside),
            sticky_ports=found.structure is Structure.REPEATS,
            clients=self.clients(failing),
        )

    def alone(self, isolation: Isolation, failures: int) -> Claim:
        """The mechanism by itself."""
        failing = isolation.failing
        mechanism = self.mechanism(failing)
        assert mechanism is not None
        return Claim(
            basis=Basis.CHAIN,
            category=failing.outcome,
            mechanism=mechanism,
            failures=failures,
            grade=Grade.BY_DEFINITION.value,
            likely=self.likely(failing, [Dimension.CHAIN.value], isolation.time_profile.shape),
            total=FailureCount(failing.count, self.tally.attempts),
            inside=mechanism.met,
            timing=self.timing(isolation.time_profile, isolation.onset),
            recurrence=self.recurrence(isolation),
            usual=self.usual,
            clients=self.clients(failing),
            experiment=more(failing.count, self.tally.attempts),
        )

    def inconsistency(self, found: Inconsistency) -> Claim:
        """Two valid answers, and where the odd one occurs, if that is known."""
        shape = found.isolation.time_profile.shape if found.isolation else Shape.CONSTANT
        claim = Claim(
            basis=Basis.DIFFERENCE,
            category=found.name,
            mechanism=None
            if found.odd is None
            else Mechanism(short(found.odd), found.odd, FailureCount(0, found.met)),
            failures=0,
            grade=Grade.BY_DEFINITION.value,
            likely=likely(Signs(found.name, (), shape.value)),
            total=FailureCount(found.met, found.good),
            usual=found.usual,
            others=found.others,
        )
        for locus in found.isolation.slices[:1] if found.isolation else ():
            return replace(
                claim,
                grade=locus.grade.value,
                risk_ratio=locus.ratio,
                p_value=locus.cohort.adjusted,
                conditions=conditions(locus.conditions),
                aliases=tuple(map(conditions, locus.aliases)),
                inside=FailureCount(locus.cohort.failures, locus.cohort.attempts),
                experiment=confirm(self.recording, locus),
            )
        return claim

    def unexplained(self, left: int) -> UnexplainedClaim:
        """The failures that no claim holds, and why there is none for them."""
        if not left:
            return UnexplainedClaim()
        alone = [one for one in self.isolations if one.failing.chain is None and not one.slices]
        recurrences = [found for found in map(self.recurrence, alone) if found]
        widest = max(self.isolations, key=lambda isolation: isolation.considered)
        if recurrences:
            silence = Silence.RECURS
        elif self.tally.failures == self.tally.attempts:
            silence = Silence.ALL_FAILED
        elif not any(isolation.varies for isolation in self.isolations):
            silence = Silence.NOTHING_DIFFERS
        elif left < FEWEST_LEFT:
            silence = Silence.TOO_FEW
        else:
            silence = Silence.NOT_FOUND if widest.considered else Silence.SEVERAL_KINDS
        largest = next(iter(alone), self.isolations[0])
        return UnexplainedClaim(
            left,
            silence,
            widest.considered,
            widest.hypotheses,
            next(iter(recurrences), None),
            self.likely(largest.failing, [NO_PLACE], largest.time_profile.shape),
        )

    def recurrence(self, isolation: Isolation) -> Recurrence | None:
        """Whether the failing connections recur in turn or at intervals; None when not."""
        failing, table = isolation.failing, self.recording.table
        starts = [one.id for one in self.recording.failing if one.outcome == failing.outcome]
        share = self.tally.failures / max(1, self.tally.attempts)
        cycle = round_robin(starts, share, self.recording.facts.plan.load.processes)
        if cycle is not None:
            return Recurrence(cycle.length, cycle.hits, cycle.of)
        attempts, failures = (
            np.bincount(table.blocks[failing.reached], weights=weights[failing.reached])
            .astype(np.int64)
            .tolist()
            for weights in (table.counts, failing.failures)
        )
        again = period(BlockCounts(tuple(attempts), tuple(failures), self.recording.block_ns))
        return Recurrence(seconds=again.seconds) if again else None

    def timing(self, course: TimeProfile, onset: Instant | None) -> Timing:
        """What the failures did over time, in times instead of blocks."""
        block_ns, beat = self.recording.block_ns, rhythm(course)
        return Timing(
            course.shape,
            len(course.hot),
            None if onset is None else self.recording.facts.started_ns + onset.best * block_ns,
            0.0
            if onset is None
            # The wider side of the interval, at least one block.
            else max(onset.best - onset.low, onset.high - onset.best, 1) * block_ns / 1e9,
            None if beat is None else beat * block_ns / 1e9,
        )

    def chain(self, failing: FailureClass) -> SeenChain | None:
        """The chain that decides this outcome."""
        return None if failing.chain is None else self.recording.chains.get(failing.chain)

    def mechanism(self, failing: FailureClass) -> Mechanism | None:
        """The chain that decides this outcome, with its counts; None when none does."""
        if failing.chain is None:
            return None
        chain, table = self.chain(failing), self.recording.table
        met = int(table.counts[failing.reached & (table.chains == failing.chain)].sum())
        name = short(chain) if chain else f"#{failing.chain}"
        return Mechanism(name, chain, FailureCount(failing.count, met))

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

    def likely(
        self,
        failing: FailureClass,
        loci: Collection[str],
        shape: Shape,
        found: Collection[str] = (),
    ) -> tuple[str, ...]:
        """The root causes that fit this class of failures at such a place."""
        chain, plan = self.chain(failing), self.recording.facts.plan
        evidence = {*found, *facts_of_the_plan(plan)}
        if self.load:
            evidence.add(f"load-{self.load}")
        attempts, failures = self.tally.attempts, failing.count
        if self.tally.failures == attempts:
            evidence.add("all-failed")
        if abs(failures - attempts / 2.0) <= 1.5 * sqrt(attempts):  # three standard deviations
            evidence.add("half")
        if chain is not None:
            evidence |= set(facts_of_the_chain(chain, self.usual, plan.trust.anchors))
            evidence |= set(facts_of_the_clients(self.clients(failing)))
            alike = [one.failing for one in self.isolations if one.failing.chain is not None]
            roots = {
                issuer(other)
                for one in alike
                if one.outcome == failing.outcome and (other := self.chain(one))
            }
            if len(roots) == 1:
                evidence.add("one-bad-root")
        return likely(
            Signs(
                category=failing.outcome,
                loci=loci,
                shape=shape.value,
                load=self.load,
                stages=tuple(self.tally.stages.get(failing.outcome, ())),
                subject=f"{subject(chain)} {issuer(chain)}" if chain else "",
                differs=difference(self.usual, chain) if chain and self.usual else "",
                facts=evidence,
            )
        )


def conditions(meanings: Sequence[SliceCondition]) -> tuple[Condition, ...]:
    """Decoded conditions as the report has them; one stretch of time becomes a range."""
    made = []
    for meaning in meanings:
        dimension, (begin, dash, end) = meaning.dimension, meaning.value.partition(_RANGE)
        single = dimension is Dimension.TIME and dash and _RANGE not in end and "," not in end
        made.append(
            Condition(dimension.value, (begin, end), Comparator.BETWEEN)
            if single
            else Condition(dimension.value, meaning.value)
        )
    return tuple(made)


def confirm(recording: Recording, locus: Slice, category: str = "") -> RunChange | None:
    """The next experiment: the run that pins the slice, or the part in which a rival disagrees.

    None when no option can pin any of its conditions.
    """
    plan = recording.facts.plan
    conditions: Sequence[SliceCondition] = locus.conditions
    if locus.grade is Grade.AMBIGUOUS and locus.rivals:
        disputed = [one for one in conditions if one not in locus.rivals[0]]
        conditions = disputed or conditions
    values = {one.dimension: one.value for one in conditions}
    if set(values) == {Dimension.TIME} and category in _OF_LOAD:
        # The same run at a quarter of the load: does the failure go away?
        elapsed = duration_s(recording.facts) or 0.0
        before = plan.load.rate or (recording.facts.recorded / elapsed if elapsed else 0.0)
        return None if before < LEAST_RATE else RunChange(rate=float(f"{before / SLOWER:.2g}"))
    addresses = (
        tuple(
            address
            for address in recording.addresses
            if values.get(Dimension.ADDRESS, str(address)) == str(address)
            and values.get(Dimension.LABEL, address.label) == address.label
            and values.get(Dimension.FAMILY, address.family) == address.family
        )
        if set(values) & {Dimension.ADDRESS, Dimension.LABEL, Dimension.FAMILY}
        else ()
    )
    client, name = values.get(Dimension.CLIENT), values.get(Dimension.SNI)
    # Of `240/s` or `240/s or more`; `less than 240/s` is a bound from above, which nothing offers.
    number, per_second, _ = values.get(Dimension.RATE, "").partition("/s")
    rate = float(number) if per_second and number.replace(".", "").isdigit() else None
    source = values.get(Dimension.VANTAGE)
    if not (addresses or client or name or rate or source):
        return None
    # Handshakes inside the slice after which at least one should have failed.
    count, precision = FEWEST, locus.cohort.failures / max(1, locus.cohort.attempts)
    if precision < 1.0:
        count = max(FEWEST, min(MOST, ceil(log(1.0 - CERTAIN) / log(1.0 - precision))))
    return RunChange(
        count=count,
        addresses=addresses or None,
        clients=(client,) if client else None,
        server_name=name,
        rate=rate,
        extra=("--source", source) if source and source not in plan.sources[1:] else (),
    )


def more(failures: int, attempts: int) -> RunChange | None:
    """The run that sees enough failures to say what they share; None: this one did."""
    if not failures or failures >= ENOUGH_FAILURES:
        return None
    return RunChange(count=min(1_000_000, ceil(ENOUGH_FAILURES * attempts / failures)))
