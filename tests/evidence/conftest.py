"""Transcripts of real handshakes: our machine and the standard library's server in memory."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from stress.handshake import Facts, HandshakeMachine, KeyLog, State, stack_for
from stress.lab.site import Authority, LeafSpec, issue, key_pem
from stress.model.chain import chain_hash
from stress.model.plan import Address, Client, Plan, Stack, Target, Trust
from stress.model.record import Record
from stress.model.summary import Cause, Condition, Likely, RiskRatio
from stress.model.transcript import Clock, Flight, Parting, Transcript

HOST = "evidence.test"
BEGUN_NS = 1_780_000_000_000_000_000
STEP_NS = 100_000
ADDRESS = Address("198.51.100.7", 8443, "blue")
RECORD = Record(
    7, BEGUN_NS, BEGUN_NS, 0, None, 40_001, 0, "ok", 5, None, None, None, None, None, None,
    50_000, 20, 30, 900_000, 5, 0, 0, 0, None,
)  # fmt: skip

Shake = Callable[..., Transcript]


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority.make(datetime.now(UTC))


@pytest.fixture(scope="session")
def server_files(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """PEM files with the whole chain, and with the leaf alone, of the same key."""
    now = datetime.now(UTC)
    leaf = issue(authority.intermediate("Evidence Intermediate", now), LeafSpec((HOST,)), now)
    certificates = [each.public_bytes(Encoding.PEM) for each in leaf.full]
    folder = tmp_path_factory.mktemp("evidence")
    files = {"whole": folder / "whole.pem", "alone": folder / "alone.pem"}
    files["whole"].write_bytes(b"".join(certificates) + key_pem(leaf.key))
    files["alone"].write_bytes(certificates[0] + key_pem(leaf.key))
    return files


@pytest.fixture
def key_log() -> Iterator[KeyLog]:
    with closing(KeyLog()) as log:
        yield log


@pytest.fixture
def shake(server_files: dict[str, Path], key_log: KeyLog) -> Shake:
    """Makes the transcript of a handshake; the chain is `whole` or `alone`."""

    def shaken(stack: Stack, version: int, chain: str = "alone") -> Transcript:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(server_files[chain])
        client = Client("generic", versions=(version,))
        factory = stack_for(client, stack, server_name=HOST, key_log=key_log)
        machine = factory.machine()
        flights = _join(machine, context)
        random = flights[0].data[11:43]
        outcome = "incomplete-chain" if chain == "alone" else "ok"
        record = _row(machine.facts(), outcome)
        secrets = key_log.lines(random)
        last_ns = flights[-1].at_ns + STEP_NS
        closing = (Parting(sent=True, at_ns=last_ns, reset=False),)
        return Transcript(
            record, ADDRESS, "198.51.100.99", BEGUN_NS, tuple(flights), closing, secrets
        )

    return shaken


def _join(client: HandshakeMachine, context: ssl.SSLContext) -> list[Flight]:
    """Carry bytes between both ends until the handshake is over."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = context.wrap_bio(incoming, outgoing, server_side=True)
    flights: list[Flight] = []
    step = client.begin()
    finished = False
    while True:
        _note(flights, step.send, sent=True)
        incoming.write(step.send)
        if not finished:
            try:
                server.do_handshake()
                finished = True
            except ssl.SSLWantReadError:
                pass
        answer = outgoing.read()
        _note(flights, answer, sent=False)
        if not answer or step.state is State.OVER:
            return flights
        step = client.receive(answer)


def _note(flights: list[Flight], data: bytes, *, sent: bool) -> None:
    if data:
        clock = Clock.USER if sent else Clock.KERNEL
        at_ns = BEGUN_NS + (len(flights) + 1) * STEP_NS
        flights.append(Flight(sent=sent, at_ns=at_ns, clock=clock, data=data))


def _row(facts: Facts, outcome: str) -> Record:
    assert facts.chain is not None
    return RECORD._replace(
        outcome=outcome,
        chain=chain_hash(facts.chain),
        tls_version=facts.tls_version,
        cipher=facts.cipher,
        key_group=facts.key_group,
    )


def plan_for(**other: object) -> Plan:
    """A plan for HOST at ADDRESS."""
    known: dict[str, object] = {
        "target": Target(HOST, ADDRESS.port),
        "addresses": (ADDRESS,),
        "clients": (Client("generic"), Client("old", versions=(0x0303,))),
        "trust": Trust(host=HOST),
        "server_name": HOST,
    }
    return Plan(**(known | other))  # type: ignore[arg-type]  # the caller knows the fields


def cause_of(rank: int, category: str, *conditions: tuple[str, str], **other: object) -> Cause:
    """A cause that is met under these conditions."""
    known: dict[str, object] = {
        "rank": rank, "category": category, "kind": "failure", "mechanism": None,
        "conditions": tuple(Condition(*each) for each in conditions), "aliases": (),
        "failures": 5, "attempts": 40, "precision": 1.0, "recall": 1.0,
        "risk_ratio": RiskRatio(None, 9.0, None), "p_value": 0.0, "grade": "strong",
        "sentence": "All of them are there.", "fix": "Mend it.",
        "likely": (Likely("x", "a node lacks it", ""),),
        "clients": {},
    }  # fmt: skip
    return Cause(**(known | other))  # type: ignore[arg-type]  # the caller knows the fields


def transcript(outcome: str = "eof", **row: object) -> Transcript:
    """A connection without a byte."""
    record = RECORD._replace(outcome=outcome, **row)  # type: ignore[arg-type]  # a row of mixed types
    return Transcript(record, ADDRESS, "198.51.100.99", BEGUN_NS, ())
