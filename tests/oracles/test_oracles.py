"""The fast part of the comparison with real clients: a few hundred chains, a second or two each."""

from __future__ import annotations

import json
from functools import cache

import pytest

from tests.oracles.__main__ import MET
from tests.oracles.corpus import Chain, chains
from tests.oracles.making import AT, DAY, authority, key, server
from tests.oracles.oracle import (
    ORACLES,
    Oracle,
    ask,
    compare,
    matching,
    meant,
    messages,
)

FAST = {"go-1.19": "go", "openssl": "faketime", "python-3.13": "faketime", "curl": "curl"}
"""Oracle -> the program that it needs from the distribution."""


@cache
def corpus() -> tuple[Chain, ...]:
    """Every kind four times, and one chain of each pair."""
    return tuple(chains(each=4, pairs=1, seed=7))


@pytest.mark.slow
@pytest.mark.parametrize(
    "oracle",
    [
        pytest.param(one, marks=pytest.mark.real(FAST[one.name]), id=one.name)
        for one in ORACLES
        if one.name in FAST
    ],
)
def test_the_judge_says_what_the_real_client_says(oracle: Oracle) -> None:
    if oracle.missing():
        pytest.skip(f"{oracle.missing()} is not installed")
    compared = compare(oracle, ask(oracle, corpus()), corpus())

    differ = [(one.chain.id, one.words, one.category) for one in compared if not one.agrees]
    wrong = [one.chain.id for one in compared if one.refused != (one.words != "ok")]
    assert len(differ) <= 0.01 * len(compared), differ
    assert len(wrong) <= 0.005 * len(compared), wrong


def test_every_pattern_was_met() -> None:
    """In the comparison that wrote `docs/oracles.md`, by the chain that `met.json` names."""
    met = json.loads(MET.read_text("utf-8"))

    for family, rows in messages().items():
        assert met[family].keys() == {pattern.pattern for pattern, _ in rows}, family
        for pattern, (_, _, _, words) in met[family].items():
            assert pattern in {row.pattern for row, _ in matching(family, words)}


def test_a_chain_is_the_same_whenever_it_is_made() -> None:
    """But for signatures, which are made anew."""
    first, again = (
        [(one.id, one.host, len(one.sent), one.rsa) for one in chains(each=1, pairs=0, seed=3)]
        for _ in range(2)
    )
    assert first == again


def test_certificates_say_what_they_shall_say() -> None:
    """Our maker's good certificates are those of any other maker."""
    from cryptography import x509  # noqa: PLC0415  needed in one test

    root, leaf = authority("Root", key("p256", 1)), server("good.test", key("p384", 2))
    made = x509.load_der_x509_certificate(leaf.issue(root))

    assert made.not_valid_after_utc.timestamp() == AT + 60 * DAY
    assert made.subject.rfc4514_string() == "CN=good.test"
    made.verify_directly_issued_by(x509.load_der_x509_certificate(root.issue(root)))
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["good.test"]


@pytest.mark.parametrize(
    ("family", "words", "category"),
    [
        ("openssl", "10 certificate has expired", "expired-leaf"),
        ("curl", "60 10 SSL certificate problem: certificate has expired", "expired-leaf"),
        ("go", "x509: too many intermediates for path length constraint", "path-length"),
        ("java", "KeyUsage does not allow digital signatures", "wrong-eku"),
    ],
)
def test_the_words_of_clients_stand_for_categories(family: str, words: str, category: str) -> None:
    assert category in meant(family, words)
    assert "revoked" not in meant(family, words)
