from __future__ import annotations

from dataclasses import replace

import pytest

from stress.evidence.selection import MOST_PAIRS, cases
from stress.model.plan import Address
from stress.model.summary import Condition
from stress.model.transcript import Transcript
from tests.evidence.conftest import ADDRESS, BEGUN_NS, cause_of, plan_for, transcript

PLAN = plan_for()
SECOND_NS = 1_000_000_000
OTHER = Address("198.51.100.8", 8443)
CHAIN = bytes([0xAB]) * 32


def at(one: Transcript, seconds: int, address: Address = ADDRESS) -> Transcript:
    return replace(one, dialled_ns=BEGUN_NS + seconds * SECOND_NS, address=address)


def test_each_cause_has_the_failures_of_its_category_and_chain() -> None:
    mine = transcript("incomplete-chain", chain=CHAIN)
    others = [transcript("incomplete-chain", chain=bytes(32)), transcript("eof"), transcript("ok")]
    cause = cause_of(1, "incomplete-chain", mechanism=Condition("chain", CHAIN.hex()))

    first, *rest = cases([*others, mine], [cause], PLAN)

    assert (first.name, first.cause) == ("cause-1-incomplete-chain", cause)
    assert [pair.failing for pair in first.pairs] == [mine]
    assert [case.name for case in rest] == ["unexplained-2-eof"]


@pytest.mark.parametrize(
    ("dimension", "value", "row"),
    [
        ("client", "old", {"client": 1}),
        ("tls_version", "TLS 1.2", {"tls_version": 0x0303}),
        ("cipher", "TLS_AES_128_GCM_SHA256", {"cipher": 0x1301}),
        ("key_group", "x25519", {"key_group": 29}),
        ("chain", CHAIN.hex()[:12], {"chain": CHAIN}),
        ("stage", "server-hello", {"stage": 3}),
    ],
)
def test_those_that_meet_the_conditions_come_first(
    dimension: str, value: str, row: dict[str, object]
) -> None:
    fitting, other = transcript("eof", id=2, **row), transcript("eof", id=1)

    (case,) = cases([other, fitting], [cause_of(1, "eof", (dimension, value))], PLAN)

    assert [pair.failing for pair in case.pairs] == [fitting, other]


@pytest.mark.parametrize(
    ("dimension", "value"),
    [("address", str(OTHER)), ("family", "ipv6"), ("label", "blue")],
)
def test_places_are_conditions_too(dimension: str, value: str) -> None:
    places = {"address": OTHER, "family": Address("2001:db8::8", 1), "label": ADDRESS}
    elsewhere = replace(transcript("eof", id=1), address=Address("198.51.100.9", 1))
    local = "2001:db8::9" if dimension == "family" else "198.51.100.99"
    fitting = replace(transcript("eof", id=2), address=places[dimension], local_ip=local)

    (case,) = cases([elsewhere, fitting], [cause_of(1, "eof", (dimension, value))], PLAN)

    assert case.pairs[0].failing == fitting


def test_what_one_connection_cannot_tell_is_no_reason_against_it() -> None:
    (case,) = cases([transcript("eof")], [cause_of(1, "eof", ("time", "from 10:00:00"))], PLAN)

    assert len(case.pairs) == 1


def test_a_control_is_of_the_same_address_then_client_then_time() -> None:
    failing = at(transcript("eof", client=1), 1_000)
    controls = [
        at(transcript("ok", id=10, client=1, address=1), 1_000, OTHER),
        at(transcript("ok", id=11, client=0), 1_000),
        at(transcript("ok", id=12, client=1), 5_000),
        at(transcript("ok", id=13, client=1), 900),
    ]
    chosen = []
    while controls:
        (case,) = cases([failing, *controls], [], PLAN)
        control = case.pairs[0].control
        assert control is not None
        chosen.append(control.record.id)
        controls.remove(control)

    assert chosen == [13, 12, 11, 10]


def test_a_failure_may_have_no_control_and_a_cause_no_failure() -> None:
    (case,) = cases([transcript("eof")], [], PLAN)
    (empty,) = cases([], [cause_of(3, "reset")], PLAN)

    assert case.pairs[0].control is None
    assert (empty.name, empty.pairs) == ("cause-3-reset", ())


def test_only_the_first_few_are_shown() -> None:
    (case,) = cases([transcript("eof", id=number) for number in range(20)], [], PLAN)

    assert len(case.pairs) == MOST_PAIRS


def test_an_inconsistency_is_no_failure() -> None:
    assert cases([transcript("ok")], [cause_of(1, "ok", kind="inconsistency")], PLAN) == ()


@pytest.mark.parametrize("row", [{"client": 9}, {"client": -1}, {"stage": 99}])
def test_a_row_of_a_strange_file_meets_nothing(row: dict[str, int]) -> None:
    conditions = [("client", "generic"), ("stage", "finished")]

    (case,) = cases([transcript("eof", **row)], [cause_of(1, "eof", *conditions)], PLAN)

    assert len(case.pairs) == 1
