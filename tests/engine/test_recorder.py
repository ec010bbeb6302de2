from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from stress.codes.catalog import POLICY_OF
from stress.engine.messages import Batch
from stress.engine.recorder import Recorder
from stress.errors import RecordError
from stress.lab.site import Authority, LeafSpec, issue
from stress.model.chain import chain_hash
from stress.model.outcome import Side
from stress.model.plan import Address, Client, Plan
from stress.model.record import Record
from stress.model.transcript import EvidenceRole, Transcript
from tests.engine.conftest import HOST, Book, plan_for
from tests.engine.test_messages import RECORD
from tests.trust.certificates import AT, authorities
from tests.trust.defects import good

NOW = datetime(2026, 6, 1, tzinfo=UTC)
NOW_NS = int(NOW.timestamp()) * 1_000_000_000
SECOND_NS = 1_000_000_000

AUTHORITY = Authority.make(NOW)
LEAF = issue(
    AUTHORITY.intermediate("Recorder Intermediate", NOW),
    LeafSpec((HOST,), ends=timedelta(seconds=100)),
    NOW,
)
FULL = tuple(each.public_bytes(Encoding.DER) for each in LEAF.full)
ALONE = FULL[:1]
PLAN = plan_for(Address("127.0.0.1", 443), AUTHORITY.certificate.public_bytes(Encoding.DER))


def row(chain: tuple[bytes, ...] | None, outcome: str = "ok", *, after_s: int = 0) -> Record:
    return RECORD._replace(
        chain=None if chain is None else chain_hash(chain),
        outcome=outcome,
        started_ns=NOW_NS + after_s * SECOND_NS,
    )


def transcript(record: Record) -> Transcript:
    return Transcript(record, Address("192.0.2.1", 443), "192.0.2.9", 1, ())


def record(plan: Plan, *rows: Record, chains: tuple[tuple[bytes, ...], ...]) -> Book:
    book = Book()
    Recorder(plan, book).add(Batch(list(rows), list(chains)))
    return book


def test_a_chain_is_judged_before_its_first_row() -> None:
    book = record(PLAN, row(FULL), row(ALONE), chains=(FULL, ALONE))

    assert [each.outcome for each in book.records] == ["ok", "incomplete-chain"]
    assert [chain.certificates for chain, _ in book.chains] == [FULL, ALONE]
    assert [verdicts[0].policy for _, verdicts in book.chains] == ["any", "any"]


def test_a_refused_chain_is_judged_for_every_family_to_tell_who_would_see_it() -> None:
    book = record(PLAN, row(FULL), row(ALONE), chains=(FULL, ALONE))
    policies = [{verdict.policy for verdict in verdicts} for _, verdicts in book.chains]

    assert policies == [{"any"}, {"any", *POLICY_OF.values()}]


def test_evidence_is_kept_with_the_final_outcome_after_its_row() -> None:
    book = Book()
    recorder = Recorder(PLAN, book)
    kept = [transcript(row(FULL)), transcript(row(ALONE)), transcript(row(None, "eof"))]

    rows = [each.record for each in kept]
    recorder.add(Batch(rows, [FULL, ALONE], transcripts=kept))

    assert [(each.record.outcome, each.role) for each in book.transcripts] == [
        ("ok", EvidenceRole.CONTROL),
        ("incomplete-chain", EvidenceRole.FAILURE),
        ("eof", EvidenceRole.FAILURE),
    ]


def test_a_chain_is_judged_once() -> None:
    book = record(PLAN, *[row(FULL)] * 50, chains=(FULL, FULL))

    assert len(book.chains) == 1


def test_the_wires_own_failure_stands_whatever_the_chain_is() -> None:
    book = record(PLAN, row(ALONE, "bad-signature"), row(None, "reset"), chains=(ALONE,))

    assert [each.outcome for each in book.records] == ["bad-signature", "reset"]


def test_a_certificate_that_expires_in_mid_run_fails_from_then_on() -> None:
    """Still good in the second of notAfter itself (RFC 5280 section 4.1.2.5)."""
    book = record(PLAN, *(row(FULL, after_s=at) for at in (0, 100, 101, 150)), chains=(FULL,))

    assert [each.outcome for each in book.records] == ["ok", "ok", "expired-leaf", "expired-leaf"]
    assert [verdicts[0].headline is None for _, verdicts in book.chains] == [True, False]


def test_a_fixed_time_is_judged_instead_of_the_clock() -> None:
    late = int(NOW.timestamp()) + 5000
    plan = replace(PLAN, trust=replace(PLAN.trust, at=late))

    book = record(plan, row(FULL), chains=(FULL,))

    assert book.records[0].outcome == "expired-leaf"
    assert book.chains[0][1][0].at == late


def test_each_client_is_judged_by_its_own_policy() -> None:
    clients = (Client("a", policy="none"), Client("b", policy="openssl"))
    plan = replace(PLAN, clients=clients)

    book = record(plan, row(ALONE), row(ALONE)._replace(client=1), chains=(ALONE,))

    assert [each.outcome for each in book.records] == ["ok", "incomplete-chain"]


def test_the_policy_none_judges_nothing() -> None:
    plan = replace(PLAN, trust=replace(PLAN.trust, policy="none"))

    book = record(plan, row(ALONE), chains=(ALONE,))

    assert book.records[0].outcome == "ok"
    assert book.chains[0][1] == []


def test_what_passes_is_counted_by_whom_it_says_something_about() -> None:
    recorder = Recorder(PLAN, Book())

    rows = [row(FULL), row(None, "alert-40"), row(None, "local-ports"), row(None, "not-sent")]
    recorder.add(Batch(rows, [FULL]))

    assert recorder.ended == 4
    assert recorder.chains == 1
    assert recorder.sides == {
        Side.NOBODY: 1, Side.TARGET: 1, Side.OURS: 1, Side.NOT_SENT: 1,
    }  # fmt: skip


def test_a_sink_that_cannot_keep_is_heard() -> None:
    with pytest.raises(RecordError, match="disk is full"):
        Recorder(PLAN, Book(fail_after=0)).add(Batch([row(FULL)], [FULL]))


@pytest.mark.parametrize(("policy", "ending"), [("firefox", "must-staple-missing"), ("go", "ok")])
def test_a_missing_staple_fails_the_row_that_missed_it(policy: str, ending: str) -> None:
    """Under one chain each connection has its own staple, or none; None: nobody asked."""
    demanding = good(must_staple=True)
    trust = replace(PLAN.trust, host="good.test", anchors=authorities().anchors, at=AT)
    plan = replace(PLAN, clients=(Client("client", policy=policy),), trust=trust)
    book = Book()
    recorder = Recorder(plan, book)
    none = sha256(b"").digest()
    rows = [row(demanding)._replace(id=number) for number in range(3)]

    recorder.add(Batch(rows, [demanding], staples=[b""], stapled={0: none, 2: none}))
    recorder.add(Batch(transcripts=[transcript(each) for each in rows]))

    assert [each.outcome for each in book.records] == [ending, "ok", ending]
    assert [each.record.outcome for each in book.transcripts] == [ending, "ok", ending]
    missing = "requires a staple (Must-Staple), none was sent"
    detail = missing if ending != "ok" else RECORD.detail
    assert [each.detail for each in book.records] == [detail, RECORD.detail, detail]
