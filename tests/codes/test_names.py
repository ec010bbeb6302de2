from __future__ import annotations

import pytest

from stress.codes import names
from stress.codes.names import message_name
from stress.model.plan import Client

FIELDS = ("versions", "cipher_suites", "groups", "key_shares", "signature_algorithms", "extensions")


@pytest.mark.parametrize("field", FIELDS)
def test_every_name_of_a_field_is_read_back(field: str) -> None:
    known = names.known_names(field)
    numbers = [names.code_point(field, name) for name in known]

    assert None not in numbers
    assert len(set(numbers)) == len(known) > 0
    assert hasattr(Client("any"), field)


@pytest.mark.parametrize(
    ("field", "name", "number"),
    [
        ("cipher_suites", "TLS_AES_128_GCM_SHA256", 0x1301),
        ("cipher_suites", " tls_aes_128_gcm_sha256 ", 0x1301),
        ("groups", "x25519", 29),
        ("key_shares", "X25519MLKEM768", 4588),
        ("signature_algorithms", "rsa_pss_rsae_sha256", 0x0804),
        ("versions", "TLS 1.2", 0x0303),
        ("extensions", "server_name", 0),
        ("groups", "TLS_AES_128_GCM_SHA256", None),
        ("cipher_suites", "", None),
    ],
)
def test_a_name_is_read_whatever_its_case(field: str, name: str, number: int | None) -> None:
    assert names.code_point(field, name) == number


def test_what_has_no_name_is_shown_as_its_number() -> None:
    assert names.cipher_name(0x1301) == "TLS_AES_128_GCM_SHA256"
    assert names.cipher_name(0xFAFA) == "0xfafa"
    assert names.group_name(29) == "x25519"
    assert names.group_name(1) == "0x0001"
    assert names.signature_name(0x0807) == "ed25519"
    assert names.signature_name(0xFEFE) == "0xfefe"
    assert names.version_name(0x0304) == "TLS 1.3"
    assert names.version_name(0x0305) == "0x0305"
    assert names.extension_name(51) == "key_share"
    assert names.extension_name(9999) == "9999"


@pytest.mark.parametrize(
    ("number", "name"),
    [(1, "ClientHello"), (25, "CompressedCertificate"), (9, "message of type 9")],
)
def test_handshake_messages_have_the_names_of_the_rfcs(number: int, name: str) -> None:
    assert message_name(number) == name
