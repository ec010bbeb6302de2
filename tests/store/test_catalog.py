"""What is written once gets one number, and equal attempts share one group."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from stress.model.chain import Chain, Verdict
from stress.model.record import Flag, Record
from stress.store.catalog import Catalog, Statement, Treatment, clean


def rows_of(table: str, statements: Sequence[Statement]) -> list[Sequence[object]]:
    """What is inserted into a table."""
    return [row for sql, rows in statements if f"INTO {table} VALUES" in sql for row in rows]


def test_chains_share_certificates(chains: tuple[Chain, Chain]) -> None:
    catalog = Catalog()
    first, second = (catalog.chain_statements(chain, []) for chain in chains)

    assert rows_of("chain", first + second) == [(1, chains[0].sha256), (2, chains[1].sha256)]
    assert [row[2] for row in rows_of("certificate", first + second)] == [b"leaf", b"intermediate"]
    assert rows_of("chain_certificate", first + second) == [(1, 0, 1), (1, 1, 2), (2, 0, 1)]


def test_a_verdict_is_written_once_with_all_findings(
    chains: tuple[Chain, Chain], verdict: Verdict
) -> None:
    catalog = Catalog()
    statements = catalog.chain_statements(chains[1], [verdict, verdict])

    assert rows_of("verdict", statements) == [
        (1, 1, "any", "x.example", 1_700_000_000, "yes", "incomplete-chain", '["ios"]')
    ]
    assert rows_of("finding", statements) == [
        (1, 0, "incomplete-chain", None, "the issuer was not sent", "yes", ""),
        (1, 1, "weak-key", 0, "RSA with 1024 bits", "sometimes", ""),
    ]


def test_numbers_get_their_names(make_record: Callable[..., Record]) -> None:
    _, statements = Catalog().groups([make_record(0, cipher=0xFAFA)])

    assert rows_of("name", statements) == [
        ("tls_version", 0x0304, "TLS 1.3"),
        ("cipher", 0xFAFA, "0xfafa"),
        ("key_group", 29, "x25519"),
    ]


def test_details_are_interned_up_to_a_limit() -> None:
    catalog = Catalog()
    fresh: list[tuple[object, ...]] = []
    numbers = [catalog.detail(text, fresh) for text in ("ECONNREFUSED", "other", "ECONNREFUSED")]
    for number in range(10_000):
        catalog.detail(f"first bytes {number}", fresh)
    beyond = [catalog.detail("too many", fresh), catalog.detail("too many", fresh)]

    assert numbers == [1, 2, 1]
    assert fresh[:2] == [(1, "ECONNREFUSED"), (2, "other")]
    assert beyond[0] != beyond[1]


@pytest.mark.parametrize(
    ("text", "stored"), [("plain", "plain"), ("ünï\x00", "ünï\x00"), ("a\udcffb", "a?b")]
)
def test_only_what_cannot_be_encoded_is_replaced(text: str, stored: str) -> None:
    assert clean(text) == stored


@pytest.mark.parametrize(
    ("outcome", "flags", "treatment"),
    [
        ("ok", 0, Treatment.GOOD),
        ("ok", Flag.WARM_UP, Treatment.GOOD_WARMING),
        ("ok", Flag.USER_SPACE_STAMP | Flag.LOCAL_PRESSURE, Treatment.GOOD),
        ("incomplete-chain", 0, Treatment.FAILED),
        ("alert-40", 0, Treatment.FAILED),
        ("reset", Flag.WARM_UP, Treatment.FAILED_WARMING),
        ("local-ports", 0, Treatment.LEFT_OUT),
        ("cancelled", Flag.WARM_UP, Treatment.LEFT_OUT),
        ("not-sent", 0, Treatment.WAITED),
        ("not-sent", Flag.WARM_UP, Treatment.LEFT_OUT),
    ],
)
def test_the_side_and_the_warm_up_decide_how_it_is_counted(
    outcome: str, flags: int, treatment: Treatment
) -> None:
    assert Treatment.of(outcome, flags) is treatment


def test_an_outcome_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="sunshine"):
        Treatment.of("sunshine", 0)


def test_equal_attempts_share_a_number(make_record: Callable[..., Record]) -> None:
    catalog = Catalog()
    same = make_record(0), make_record(2, local_port=1, total_ns=9, bytes_received=1)
    other = make_record(4, alpn="h2")

    numbers, statements = catalog.groups([*same, other])

    assert numbers == [0, 0, 1]
    assert [row[0] for row in rows_of("attempt_group", statements)] == [0, 1]
    assert catalog.groups([other, make_record(6)]) == ([1, 0], [])
    assert catalog.treatments == [Treatment.GOOD, Treatment.GOOD]


@pytest.mark.parametrize(
    "odd",
    [
        {"address": 1},
        {"source": 0},
        {"client": 1},
        {"outcome": "reset"},
        {"stage": 4},
        {"chain": None},
        {"tls_version": None},
        {"cipher": 0x1302},
        {"key_group": None},
        {"alpn": "h2"},
        {"resumed": None},
        {"hello_retry": True},
        {"segment": 1},
        {"flags": 1},
    ],
)
def test_any_attribute_tells_attempts_apart(
    make_record: Callable[..., Record], odd: dict[str, object]
) -> None:
    assert Catalog().groups([make_record(0), make_record(0, **odd)])[0] == [0, 1]
