from __future__ import annotations

from dataclasses import replace

import pytest

from stress.handshake import stack_for
from stress.handshake.hello import ClientHello, read_hello
from stress.handshake.stack import shortfall
from stress.model.client import Client, Stack
from tests.handshake.ends import HOST

ASKED = Client(
    "test",
    cipher_suites=(0x1301, 0x1302, 0x1303, 0xC02B, 0xC02F),
    groups=(29, 23),
    key_shares=(29,),
    signature_algorithms=(0x0403, 0x0804),
    alpn=("h2", "http/1.1"),
    grease=True,
)


def sent(stack: Stack, client: Client = ASKED) -> ClientHello:
    return read_hello(stack_for(client, stack, server_name=HOST).machine().begin().send)


def test_a_hello_as_asked_for_has_none(stack: Stack) -> None:
    assert shortfall(ASKED, sent(stack)) == ()


def test_lists_that_are_not_given_are_the_stacks_own(stack: Stack) -> None:
    assert shortfall(Client("test"), sent(stack, Client("test"))) == ()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"versions": (0x0304,)}, "versions with TLS 1.2 added"),
        ({"versions": (0x0304, 0x0303, 0x0302)}, "versions without TLS 1.1"),
        ({"groups": (29, 23, 24)}, "groups without secp384r1"),
        ({"groups": (23, 29)}, "groups in another order"),
        ({"key_shares": (29, 23)}, "key shares without secp256r1"),
        (
            {"signature_algorithms": (0x0403,)},
            "signature algorithms with rsa_pss_rsae_sha256 added",
        ),
        ({"signature_algorithms": (0x0403, 0x0804, 0x0403)}, ""),
        ({"cipher_suites": (0x1303, 0x1302, 0x1301, 0xC02B, 0xC02F, 0xFF)}, ""),
        (
            {"cipher_suites": (0x1301, 0x1302, 0x1303, 0xC02F, 0xC02B)},
            "cipher suites in another order",
        ),
        ({"alpn": ("h2",)}, "ALPN is h2, http/1.1"),
        ({"alpn": ()}, "ALPN is h2, http/1.1"),
    ],
)
def test_each_difference_is_said(stack: Stack, fields: dict[str, object], words: str) -> None:
    hello = sent(stack)
    asked = replace(ASKED, **fields)  # type: ignore[arg-type] # a table's fields

    assert shortfall(asked, hello) == ((words,) if words else ())


def test_a_tls12_hello_cannot_show_which_older_versions_it_would_take() -> None:
    client = Client("old", versions=(0x0303, 0x0302, 0x0301))

    assert shortfall(client, sent(Stack.OPENSSL, client)) == ()
