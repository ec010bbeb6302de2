from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from stress.evidence.folder import difference, pem


@pytest.fixture(scope="module")
def whole(server_files: dict[str, Path]) -> tuple[bytes, ...]:
    certificates = x509.load_pem_x509_certificates(server_files["whole"].read_bytes())
    return tuple(each.public_bytes(Encoding.DER) for each in certificates)


def test_pem_has_the_certificates_in_the_order_sent_and_nothing_else(
    whole: tuple[bytes, ...],
) -> None:
    text = pem(whole[::-1])

    parts = text.split("-----END CERTIFICATE-----\n")
    assert parts[-1] == ""
    assert [
        ssl.PEM_cert_to_DER_cert(f"{part}-----END CERTIFICATE-----") for part in parts[:-1]
    ] == [*whole[::-1]]
    assert pem(()) == ""


def test_the_difference_names_what_is_missing(whole: tuple[bytes, ...]) -> None:
    text = difference(whole, whole[:1], ["incomplete-chain: the issuer was not sent"])

    assert "What differs: same leaf; intermediate Evidence Intermediate missing." in text
    assert "- incomplete-chain: the issuer was not sent" in text
    assert text.count("subject  ") == 3


def test_without_a_good_chain_nothing_is_compared(whole: tuple[bytes, ...]) -> None:
    assert "No good chain was seen" in difference(None, whole[:1], [])


def test_the_same_chain_good_elsewhere_is_said(whole: tuple[bytes, ...]) -> None:
    assert "the same chain was good elsewhere" in difference(whole, whole, [])


@pytest.mark.parametrize("bad", [(), (b"\x30\x00",), (b"\x1b[2J",)])
def test_what_is_no_certificate_is_told_and_does_nothing(
    bad: tuple[bytes, ...], whole: tuple[bytes, ...]
) -> None:
    text = difference(whole, bad, ["\x1b[31mred"])

    assert "\x1b" not in text
    assert "cannot be read" in text or "(no certificate)" in text
