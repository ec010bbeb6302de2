"""A run as read from its file."""

from __future__ import annotations

from collections.abc import Sequence

from stress.evidence.folder import Dossier
from stress.model.chain import chain_hash
from stress.model.plan import Plan
from stress.model.run import End, RunFacts, SeenChain
from stress.model.summary import (
    AddressLine,
    Answer,
    Cause,
    Failures,
    Headlines,
    Interval,
    RunLine,
    Summary,
    Unexplained,
    Validity,
)
from stress.model.transcript import Transcript
from tests.evidence.conftest import ADDRESS, BEGUN_NS, plan_for

INTERVAL = Interval(0.95, 0.1, 0.2, "clopper-pearson")


def facts_for(plan: Plan) -> RunFacts:
    """Facts of a run that came to its end."""
    return RunFacts(
        "once", "results/once.db", plan, BEGUN_NS, BEGUN_NS + 1, End.COMPLETED, 40, 40, {}, (),
        invalid=False, lag_p99_ns=None, host="jane-laptop (10.9.8.7)",
    )  # fmt: skip


def summary_of(causes: Sequence[Cause], failures: int = 5) -> Summary:
    """The answer with these causes."""
    return Summary(
        verdict=Answer.FAILING,
        headline="5 of 40 handshakes failed.",
        run=RunLine("once", "results/once.db", "x", "", ("generic",), "", 1.0, 1, 0),
        attempts=40,
        completed=40,
        ours=0,
        not_sent=0,
        failures=Failures(failures, failures / 40, INTERVAL, {"incomplete-chain": 5, "eof": 4}),
        causes=tuple(causes),
        unexplained=Unexplained(),
        chains=(),
        addresses=(AddressLine(str(ADDRESS), None, 20, 5, INTERVAL),),
        latency={},
        validity=Validity(valid=True, reasons=()),
        assertions=(),
        lines=Headlines(*[""] * 10),
    )


def dossier_of(
    transcripts: Sequence[Transcript],
    causes: Sequence[Cause] = (),
    chains: Sequence[tuple[bytes, ...]] = (),
    *,
    plan: Plan | None = None,
    failures: int = 5,
) -> Dossier:
    """All of it."""
    seen = [
        SeenChain(number, chain_hash(one), one, 5, 0, 0) for number, one in enumerate(chains, 1)
    ]
    facts = facts_for(plan or plan_for())
    return Dossier(facts, summary_of(causes, failures), seen, (), tuple(transcripts))
