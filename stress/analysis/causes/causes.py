"""All claims of a run: isolates every class of failures, then finds valid answers that differ.

Imported late: it needs numpy and scipy.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import compress
from math import sqrt

import numpy as np

from stress.analysis.causes import signs
from stress.analysis.causes.changes import (
    TimeProfile,
    lockout,
    passed_first,
    period,
    rhythm,
    round_robin,
)
from stress.analysis.causes.classes import FailureClass, explaining, failure_classes
from stress.analysis.causes.cohorts import Mask
from stress.analysis.causes.experiments import cheaper, confirm, more, pinned
from stress.analysis.causes.inconsistencies import (
    differences,
    facts_of_what_was_agreed,
    inconsistencies,
)
from stress.analysis.causes.isolation import ALWAYS, SURE, Grade, Isolation, Slice, isolate
from stress.analysis.causes.likely import Signs, likely
from stress.analysis.causes.load import (
    CONCENTRATED,
    follow_arrivals,
    follows_load,
    passing_rate,
    segments,
)
from stress.analysis.causes.ports import PortFinding, port_structure
from stress.analysis.causes.slowness import slow_records, slowness
from stress.analysis.causes.table import counted_cells
from stress.analysis.chains import difference, issuer, reference, short, subject
from stress.analysis.proportions.binomial import clopper_pearson, risk_ratio
from stress.analysis.proportions.estimate import effective
from stress.analysis.recording import Recording, reread_by_load, with_connect_modes
from stress.analysis.tally import RunCounts, chosen
from stress.codes.catalog import chain_views, client_views
from stress.model.attributes import Dimension, place
from stress.model.chain import Verdict
from stress.model.claims import (
    Basis,
    Claim,
    ClaimSet,
    FailureCount,
    LoadClaim,
    Mechanism,
    Recurrence,
    RootCause,
    RunChange,
    Shape,
    Silence,
    Timing,
    UnexplainedClaim,
)
from stress.model.outcome import Category, ClientView, Stage
from stress.model.plan import StartTls
from stress.model.record import Record
from stress.model.run import End, SeenChain
from stress.model.summary import Comparator, Condition, Interval
from stress.trust import describe, known_of

NO_PLACE = "none"
"""How the catalogue says that nothing tells the failing connections apart."""
MOSTLY = 0.8
"""Local ports may explain a class of failures that makes up this part of all failures."""
FEWEST_LEFT = 3
"""Failures of a known mechanism outside its places: fewer are left unexplained."""
FEWEST_TIMED = 200
"""Handshakes of an experiment about latency."""


def explain(recording: Recording, tally: RunCounts) -> ClaimSet:
    """Isolates every class of failures, then the inconsistencies."""
    facts, cube = recording.facts, recording.cube
    # A search for the limit does not vary the load at random, so it shows no elasticity.
    load = follows_load(segments(facts.plan.load, cube)) if not facts.limits else None
    if facts.limits or (load and load.dependent):
        recording = reread_by_load(recording)
    isolations = isolated(recording)
    if load and not load.dependent and (rest := _load_elsewhere(recording, isolations)):
        load = replace(load, elsewhere=rest)
        recording = reread_by_load(recording)
        isolations = isolated(recording)
    alone = (one for one in isolations if one.failing.chain is None)
    silent = any(not one.slices and not one.suggested for one in alone)
    if silent and (told := with_connect_modes(recording)):
        again = isolated(told)
        if any(one.suggested for one in again):
            recording, isolations = told, again
    finder = _Claimant(recording, tally, isolations, load)
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
    if load:
        # A chain of its own is a place, the load itself is none.
        concentrated = any(
            claim.failures >= CONCENTRATED * tally.failures
            and (claim.mechanism or {one.dimension for one in claim.conditions} - {Dimension.RATE})
            for claim in failing
        )
        load = replace(load, concentrated=concentrated)
    left = tally.failures - sum(claim.failures for claim in failing)
    odd = [finder.inconsistency(*one) for one in inconsistencies(recording)]
    slow: list[Claim] = []
    if facts.records is None:  # what was agreed on, and how long it took, is known of runs only
        odd += [finder.inconsistency(*one) for one in differences(recording)]
        slow += [finder.slow(one) for one in slowness(recording)]
    elif recording.cube.records is not None:
        slow += slow_records(recording, recording.cube.records)
    return ClaimSet((*failing, *odd, *slow), finder.unexplained(left), load, finder.lockout)


def _of_this_hello(
    view: ClientView, family: str, hello: Sequence[Condition], tested: Collection[str]
) -> ClientView:
    """What a family would see of failures that follow the ClientHello, where one does not know."""
    named = [one for one in hello if one.dimension == Dimension.CLIENT]
    if not hello or view.fails == "no" or any(one.allows(family) for one in named):
        return view
    if named and family in tested:
        return ClientView("no", "")
    return ClientView("sometimes", f"{view.reports}; failed here {place(hello)}")


def isolated(recording: Recording) -> list[Isolation]:
    """Each class of failures; by signals only those that no chain decides.

    A server that finishes a handshake has a name for that (`Dimension.BACKEND`).
    """
    classes = failure_classes(recording.table)
    return [isolate(recording, one, signals=one.chain is None) for one in classes]


def _load_elsewhere(recording: Recording, isolations: Sequence[Isolation]) -> LoadClaim | None:
    """Whether what fails outside the places found follows the load, as the places do not."""
    clocked = {Dimension.TIME, Dimension.RATE}
    placed = np.zeros(len(recording.table), dtype=np.bool_)
    for locus in (one for isolation in isolations for one in isolation.slices):
        if not clocked & {one.dimension for one in locus.conditions}:
            placed |= locus.rows
    if not placed.any():
        return None
    kept = chosen(counted_cells(recording.cube.cells), ~placed)
    rest = replace(recording.cube, cells=kept)
    found = follows_load(segments(recording.facts.plan.load, rest))
    return found if found and found.dependent else None


class _Claimant:
    """Makes claims out of what was isolated."""

    def __init__(
        self,
        recording: Recording,
        tally: RunCounts,
        isolations: Sequence[Isolation],
        load: LoadClaim | None,
    ) -> None:
        self.recording, self.tally, self.isolations = recording, tally, isolations
        words: dict[bool | None, str] = {True: "dependent", False: "independent"}
        self.load = words.get(load.dependent) if load else None
        good = [one.started_ns for one in recording.good]
        whole = len(good) == tally.attempts - tally.failures  # not only a sample
        failed = [one.started_ns for one in recording.failing]
        known = whole and recording.facts.records is None
        self.lockout = lockout(good, failed, tally.failures) if known else None
        self.usual = reference(tuple(recording.chains.values()), tally.good_chains)

    def claims(self, isolation: Isolation) -> Iterator[Claim]:
        """One claim for each place; the mechanism alone for failures in no special place.

        Signals are told where there is no place, and ports do not explain it.

        Places may overlap. A failure counts for the first claim that it matches, the largest first.
        """
        failures, explained = isolation.failing.failures, 0
        # Ports are counted over all kinds of failures, so this kind must make up most of them.
        most = isolation.failing.count >= MOSTLY * self.tally.failures
        by_port = port_structure(self.recording.ports) if most and not isolation.slices else None
        places = [*isolation.slices, *(() if by_port else isolation.suggested)]
        earlier: list[tuple[tuple[Condition, ...], Mask]] = []
        free = np.ones(len(failures), dtype=np.bool_)
        while places:
            places.sort(key=lambda one: -int(failures[one.rows & free].sum()))
            locus = places.pop(0)
            own = int(failures[locus.rows & free].sum())
            if not own:
                break
            both = ((name, int(failures[locus.rows & other].sum())) for name, other in earlier)
            shared = tuple((name, count) for name, count in both if count)
            explained += own
            yield replace(self.at(isolation, locus), failures=own, shared=shared)
            earlier.append((locus.conditions, locus.rows & free))
            free &= ~locus.rows
        left = isolation.failing.count - explained
        if by_port is not None:
            claim = self.from_ports(isolation, by_port)
            explained, left = claim.failures, left - claim.failures
            yield claim
        if isolation.failing.chain is not None and (not explained or left >= FEWEST_LEFT):
            yield self.alone(isolation, left)

    def at(self, isolation: Isolation, locus: Slice) -> Claim:
        """A claim with a place, of all the failures there."""
        cohort, failing, inside = locus.cohort, isolation.failing, locus.inside
        # Where several ways name a dimension, the first of them counts.
        place = {
            one.dimension: one.text
            for way in reversed((locus.conditions, *locus.aliases))
            for one in way
        }
        place |= {one.dimension: "" for one in locus.conditions if one.op is Comparator.IS_NOT}
        found = signs.facts_of_the_place(place, self.recording.facts.plan)
        if cohort.failures >= ALWAYS * cohort.attempts:
            found.add("always-fails-there")
        # A signal suggests a server.
        loci = {Dimension.BACKEND if Dimension(one).is_signal else one for one in place}
        if loci == {Dimension.TIME}:
            loci.add(NO_PLACE if failing.chain is None else Dimension.CHAIN)
        dimensions = {one.dimension for one in locus.conditions}
        rated = Dimension.RATE in dimensions
        timed = Dimension.TIME in dimensions
        if timed and self.lockout and isolation.time_profile.shape is Shape.BEGAN:
            found.add("always-fails-there")
        shape = (isolation.time_profile if timed else locus.time_profile).shape
        return Claim(
            basis=Basis.CONDITIONS,
            category=failing.outcome,
            mechanism=self.mechanism(failing),
            failures=inside.failures,
            risk_ratio=locus.ratio,
            p_value=cohort.adjusted,
            grade=locus.grade.value,
            likely=self.likely(failing, loci, shape, found),
            conditions=locus.conditions,
            aliases=locus.aliases,
            rivals=locus.rivals,
            total=FailureCount(failing.count, self.tally.attempts),
            inside=inside,
            interval=self.interval(failing, locus.rows),
            elsewhere=FailureCount(
                failing.count - inside.failures, self.tally.attempts - inside.attempts
            ),
            worst=locus.worst,
            timing=self.timing(locus.time_profile),
            early_s=self.early_s(failing),
            onset_at_chain=isolation.time_profile.shape is not Shape.CONSTANT,
            backlog=rated and bool(self.recording.owed),
            searched=rated and bool(self.recording.facts.limits),
            clients=self.clients(
                failing, locus.conditions, none_elsewhere=inside.failures == failing.count
            ),
            experiment=confirm(self.recording, locus, failing.outcome),
        )

    def from_ports(self, isolation: Isolation, found: PortFinding) -> Claim:
        """A claim about the local port."""
        failing = isolation.failing
        rest = self.tally.failures - found.failures
        outside = self.tally.attempts - found.attempts
        records = self.recording.facts.records
        dimension = records.port if records else Dimension.LOCAL_PORT.value
        return Claim(
            basis=Basis.PORTS,
            category=failing.outcome,
            mechanism=self.mechanism(failing),
            failures=min(found.failures, failing.count),
            risk_ratio=risk_ratio(found.failures, found.attempts, rest, outside),
            p_value=found.p_value,
            grade=Grade.STRONG.value if found.p_value <= SURE else Grade.SUGGESTED.value,
            likely=self.likely(failing, [Dimension.LOCAL_PORT.value], isolation.time_profile.shape),
            conditions=(
                Condition(dimension, found.text)
                if found.span is None
                else Condition(
                    dimension, (str(found.span[0]), str(found.span[1])), Comparator.BETWEEN
                ),
            ),
            # Ports are counted over all kinds of failures.
            total=FailureCount(self.tally.failures, self.tally.attempts),
            inside=FailureCount(found.failures, found.attempts),
            interval=clopper_pearson(found.failures, found.attempts),  # without times
            elsewhere=FailureCount(rest, outside),
            sticky_ports=found.repeats,
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
            interval=self.interval(
                failing, failing.reached & (self.recording.table.chains == failing.chain)
            ),
            timing=self.timing(isolation.time_profile),
            early_s=self.early_s(failing),
            recurrence=self.recurrence(isolation),
            usual=self.usual,
            clients=self.clients(failing),
            experiment=more(failing.count, self.tally.attempts),
        )

    def interval(self, failing: FailureClass, rows: Mask) -> Interval:
        """Of the failure rate in these rows, by how failures cluster in time there."""
        table = self.recording.table
        blocks, size = table.blocks[rows], int(table.blocks.max(initial=0)) + 1
        failures, attempts = (
            np.bincount(blocks, one[rows], size) for one in (failing.failures, table.counts)
        )
        planned = self.recording.facts.end is End.COMPLETED
        found = effective(failures, attempts).interval(planned=planned)
        rate = float(failures.sum()) / max(1.0, float(attempts.sum()))
        return replace(found, low=min(found.low, rate), high=max(found.high, rate))

    def inconsistency(self, odd: Claim, isolation: Isolation | None) -> Claim:
        """Two valid answers, and where the odd one occurs, if that is known."""
        shape = isolation.time_profile.shape if isolation else Shape.CONSTANT
        claim = replace(odd, likely=likely(Signs(odd.category, (), shape.value)))
        for locus in isolation.slices[:1] if isolation else ():
            return replace(
                claim,
                grade=locus.grade.value,
                risk_ratio=locus.ratio,
                p_value=locus.cohort.adjusted,
                conditions=locus.conditions,
                aliases=locus.aliases,
                inside=FailureCount(locus.cohort.failures, locus.cohort.attempts),
                experiment=confirm(self.recording, locus),
            )
        return claim

    def slow(self, claim: Claim) -> Claim:
        """What is slower, with its root causes and the next experiment."""
        loci = [one.dimension for one in claim.conditions] or [NO_PLACE]
        chosen = facts_of_what_was_agreed(self.recording.table, loci)
        change = pinned(self.recording, claim.conditions, FEWEST_TIMED)
        if claim.ceiling and not self.recording.facts.plan.resumption:
            change = cheaper(self.recording.facts.plan, change or RunChange())
        return replace(
            claim,
            likely=likely(Signs(claim.category, loci, Shape.CONSTANT.value, facts=chosen)),
            experiment=change,
        )

    def unexplained(self, left: int) -> UnexplainedClaim:
        """The failures that no claim holds, and why there is none for them."""
        if not left:
            return UnexplainedClaim()
        alone = [
            one
            for one in self.isolations
            if one.failing.chain is None and not one.slices and not one.suggested
        ]
        recurrences = [found for found in map(self.recurrence, alone) if found]
        largest = next(iter(alone), self.isolations[0])
        widest = max(self.isolations, key=lambda isolation: isolation.considered)
        known = explaining(self.recording.table, largest.failing)
        loci, shape, found = [NO_PLACE], largest.time_profile.shape, set[str]()
        if self.lockout:
            silence = Silence.LOCKED_OUT
            loci, shape, found = [Dimension.TIME.value], Shape.BEGAN, {"always-fails-there"}
        elif recurrences:
            silence = Silence.RECURS
        elif self.tally.failures == self.tally.attempts:
            silence = Silence.ALL_FAILED
        elif not any(isolation.varies for isolation in self.isolations):
            silence = Silence.NOTHING_DIFFERS
        elif left < FEWEST_LEFT:
            silence = Silence.TOO_FEW
        else:
            silence = Silence.NOT_FOUND if widest.considered else Silence.SEVERAL_KINDS
        return UnexplainedClaim(
            left,
            silence,
            widest.considered,
            widest.hypotheses,
            self.recording.table.depth,
            next(iter(recurrences), None),
            self.likely(largest.failing, loci, shape, found),
            largest.failing.outcome,
            tuple(one.dimension.value for one in known if one.dimension.is_signal),
        )

    def recurrence(self, isolation: Isolation) -> Recurrence | None:
        """Whether the failing connections recur in turn or at intervals; None when not."""
        failing, table = isolation.failing, self.recording.table
        starts = [one.id for one in self.recording.failing if one.outcome == failing.outcome]
        share = self.tally.failures / max(1, self.tally.attempts)
        failed = np.unique(table.blocks[failing.failures > 0])
        span = int(table.blocks[failing.reached].max()) + 1
        facts, again = self.recording.facts, period(failed, span, self.recording.block_ns)
        if facts.records:  # whose turn it was is not known
            return again
        return round_robin(starts, share, facts.plan.load.processes) or again

    def timing(self, course: TimeProfile) -> Timing:
        """What the failures did over time, in times instead of blocks."""
        block_ns, beat, onset = self.recording.block_ns, rhythm(course), course.onset
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

    def early_s(self, failing: FailureClass) -> float | None:
        """By how much certificates came before their validity began; None: they did not."""
        if failing.outcome != Category.NOT_YET_VALID:
            return None
        begins = {
            chain.sha256: max(describe(der).not_before for der in chain.certificates)
            for chain in self.recording.chains.values()
            if chain.certificates
        }
        met = [one for one in self.recording.failing if one.outcome == failing.outcome]
        early = [begins[one.chain] - one.started_ns / 1e9 for one in met if one.chain in begins]
        return max(early, default=None)

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
        if self.recording.facts.records:  # as it stands in the rows
            name = str(failing.chain)
        return Mechanism(name, chain, FailureCount(failing.count, met))

    def clients(
        self,
        failing: FailureClass,
        conditions: Sequence[Condition] = (),
        *,
        none_elsewhere: bool = False,
    ) -> Mapping[str, ClientView]:
        """Who would see it: each family's answer to that very chain, where a chain decides.

        Where none does and the failures follow the ClientHello, a family meets them only if its own
        is treated alike; one that was tested does not, if nothing failed outside the conditions.
        """
        if self.recording.facts.records:
            return {}
        chain = self.chain(failing)
        if chain is None:
            plan = self.recording.facts.plan
            tested = {client.name for client in plan.clients if none_elsewhere}
            hello = [one for one in conditions if Dimension(one.dimension).follows_hello]
            return {
                family: _of_this_hello(view, family, hello, tested)
                for family, view in client_views(failing.outcome, named=plan.names_server).items()
            }
        met: dict[str, Verdict] = {}
        for one in self.recording.verdicts:
            # Judged again when a date was crossed; the verdict that refuses is the one in question.
            if one.chain == chain.sha256 and (one.headline or one.policy not in met):
                met[one.policy] = one
        return chain_views(failing.outcome, met, partial(known_of, chain.certificates))

    def likely(
        self,
        failing: FailureClass,
        loci: Collection[str],
        shape: Shape,
        found: Collection[str] = (),
    ) -> tuple[RootCause, ...]:
        """The root causes that fit this class of failures at such a place; none outside TLS."""
        if self.recording.facts.records:
            return ()
        chain, plan = self.chain(failing), self.recording.facts.plan
        evidence = signs.facts_of_the_plan(plan).union(found)
        load = "dependent" if Dimension.RATE in loci and self.recording.by_load else self.load
        if load:
            evidence.add(f"load-{load}")
        turn = next((one for one in self.isolations if one.failing is failing), None)
        if turn and (recurrence := self.recurrence(turn)) and recurrence.cycle:
            evidence.add("in-turn")
        attempts, failures = self.tally.attempts, failing.count
        if self.tally.failures == attempts:
            evidence.add("all-failed")
        if abs(failures - attempts / 2.0) <= 1.5 * sqrt(attempts):  # three standard deviations
            evidence.add("half")
        stages = tuple(self.tally.stages.get(failing.outcome, ()))
        if {*stages} == {Stage.STARTTLS.label}:
            evidence.add("before-tls")
        alike = [one for one in self.recording.failing if one.outcome == failing.outcome]
        if chain is None:
            values = self.without_chain(alike, failures)
        else:
            values = signs.facts_of_the_staples(alike)
            others = [self.chain(one.failing) for one in self.isolations]
            same = [one.failing.outcome == failing.outcome for one in self.isolations]
            evidence |= signs.facts_of_the_chain(chain, self.usual, plan.trust.anchors)
            evidence |= signs.facts_of_the_clients(self.clients(failing))
            evidence |= signs.facts_of_the_roots([*filter(None, compress(others, same))])
            verdicts = [one for one in self.recording.verdicts if one.chain == chain.sha256]
            evidence |= signs.facts_of_the_verdicts(verdicts)
            if len(self.tally.good_chains) > 1:
                evidence.add("several-good-chains")
        return likely(
            Signs(
                category=failing.outcome,
                loci=loci,
                shape=shape.value,
                load=load,
                stages=stages,
                subject=f"{subject(chain)} {issuer(chain)}" if chain else "",
                differs=difference(self.usual, chain) if chain and self.usual else "",
                facts=evidence.union(values),
                values=values,
            )
        )

    def without_chain(self, alike: Sequence[Record], failures: int) -> dict[str, str]:
        """What these failures show that received no chain: what was answered, and what passed."""
        plan, cube = self.recording.facts.plan, self.recording.cube
        passing, follow = passing_rate(plan.load, cube), follow_arrivals(plan.load, cube)
        met = sorted(one.id for one in alike)
        first = passed_first(met, self.tally.attempts, failures, follow=follow)
        values = signs.facts_of_the_answers(alike) | signs.facts_of_what_passed(first, passing)
        if implied := StartTls.implied_by(plan.target.port):
            values.setdefault("starttls", implied.value)
        return values
