from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stress.codes.explain import named_codes, recognise


def test_findings_come_in_the_order_of_the_text() -> None:
    found = recognise("first ERR_CERT_REVOKED, then -9807, last: Connection refused (alert 40)")

    assert [one.name for one in found] == [
        "ERR_CERT_REVOKED (-206)",
        "errSSLXCertChainInvalid (-9807)",
        "Connection refused",
        "handshake_failure (40)",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "verify error:num=20:unable to get local issuer certificate",
        "x509: certificate signed by unknown authority",
        "self-signed certificate in certificate chain",
    ],
)
def test_a_longer_sentence_hides_the_shorter_ones_inside_it(text: str) -> None:
    found = [one.text for one in recognise(text)]

    assert len(found) == len(set(found))
    assert "self-signed certificate" not in found
    assert "self-signed" not in found


def test_names_of_the_openssl_table_are_known_with_and_without_their_prefix() -> None:
    assert named_codes()["CERT_HAS_EXPIRED"][1] in {"10", "CERT_HAS_EXPIRED"}
    assert named_codes()["X509_V_ERR_CERT_HAS_EXPIRED"] == ("openssl", "10")
    assert "OK" not in named_codes()


def test_folding_that_changes_lengths_does_not_move_what_is_quoted() -> None:
    (found,) = recognise("İİİ log: Connection refused")

    assert found.text == "Connection refused"


@pytest.mark.slow
@given(st.text(alphabet="-0123456789:alert curl()_ER\n", max_size=120))
def test_any_text_like_a_log_is_read(text: str) -> None:
    assert all(one.meaning and one.text.isprintable() for one in recognise(text))
