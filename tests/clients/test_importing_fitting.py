"""Whatever a real client said, the profile that is left is spoken, and the rest is named."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stress.clients.importing import best_fit, fit
from stress.clients.profiles import clients
from stress.errors import UsageError
from stress.handshake import stack_for
from stress.handshake.hello import PADDING, ClientHello, read_hello
from stress.model.plan import Client, Stack
from tests.handshake.ends import HOST
from tests.handshake.test_client_profiles import OPENSSL_ONLY

KNOWN = {
    "cipher_suites": [0x1301, 0x1302, 0xC02B, 0xC02F, 0xC030, 0x000A, 0x009E, 0xFF85, 0x00FF],
    "groups": [29, 23, 24, 25, 30, 256, 4588, 4587, 0x1234],
    "signature_algorithms": [0x0403, 0x0804, 0x0401, 0x0201, 0x0402, 0x0808, 0x0905, 0x1234],
    "extensions": [0, 5, 10, 13, 16, 17, 18, 21, 23, 27, 35, 41, 43, 45, 51, 65037, 0x1234],
    "versions": [0x0304, 0x0303, 0x0302, 0x0301, 0x0300],
}


def some(field: str, least: int = 0) -> st.SearchStrategy[tuple[int, ...]]:
    return st.lists(st.sampled_from(KNOWN[field]), min_size=least, max_size=8).map(tuple)


@st.composite
def hellos(draw: st.DrawFn) -> Client:
    groups = draw(some("groups"))
    return Client(
        "any",
        versions=tuple(sorted(set(draw(some("versions", 1))), reverse=True)),
        cipher_suites=draw(some("cipher_suites")),
        groups=groups,
        key_shares=groups[: draw(st.integers(0, 3))],
        signature_algorithms=draw(some("signature_algorithms")),
        alpn=draw(st.sampled_from([(), ("h2",), ("h2", "http/1.1"), ("x" * 255,)])),
        extensions=draw(some("extensions")),
        compress_certificate=draw(st.sampled_from([(), ("zlib",), ("brotli", "zstd")])),
        grease=draw(st.booleans()),
    )


@pytest.mark.slow
@settings(max_examples=30)
@given(hellos())
def test_what_is_left_is_spoken_or_nothing_can_be(stack: Stack, client: Client) -> None:
    try:
        fitted = fit(client, stack)
    except UsageError as error:
        assert error.message  # noqa: PT017 - either ending is right
    else:
        stack_for(fitted.client, stack, server_name=HOST)


@pytest.mark.boringssl
@pytest.mark.parametrize("name", clients())
def test_a_shipped_client_costs_nothing_on_its_own_stack(name: str) -> None:
    fitted = best_fit(clients()[name])

    assert fitted.cost == 0
    assert (fitted.client.stack is Stack.OPENSSL) == (name in OPENSSL_ONLY)


@pytest.mark.boringssl
def test_each_part_that_is_lost_is_named_once() -> None:
    client = Client(
        "old", versions=(0x0303, 0x0301), cipher_suites=(0xC02F, 0x000A), groups=(29, 30)
    )
    fitted = fit(client, Stack.BORINGSSL)

    assert fitted.client.versions == (0x0303,)
    assert fitted.client.cipher_suites == (0xC02F,)
    assert fitted.client.groups == (29,)
    assert fitted.cost == 3
    assert fitted.client.cannot_express == (
        "the version TLS 1.0",
        "the cipher suite TLS_RSA_WITH_3DES_EDE_CBC_SHA",
        "the group x448",
    )


@pytest.mark.boringssl
def test_what_a_stack_adds_is_named_too() -> None:
    fitted = fit(Client("one", cipher_suites=(0x1301, 0xC02F)), Stack.BORINGSSL)

    assert set(fitted.client.cipher_suites) >= {0x1301, 0x1302, 0x1303, 0xC02F}
    assert any("TLS_AES_256_GCM_SHA384" in words for words in fitted.client.cannot_express)


def test_a_version_without_a_suite_is_not_offered() -> None:
    """OpenSSL drops the suite, because no signature algorithm fits it."""
    client = Client("one", cipher_suites=(0x1301, 0xC02B), signature_algorithms=(0x0804,))

    fitted = fit(client, Stack.OPENSSL).client

    assert (fitted.versions, fitted.cipher_suites) == ((0x0304,), (0x1301,))
    assert "the version TLS 1.2" in fitted.cannot_express
    stack_for(fitted, Stack.OPENSSL, server_name=HOST)


@pytest.mark.boringssl
def test_a_client_that_no_stack_can_speak_is_refused() -> None:
    with pytest.raises(UsageError, match="SSL"):
        best_fit(Client("old", versions=(0x0300,)))


def unpadded(hello: ClientHello) -> ClientHello:
    """BoringSSL deals its extensions anew each time, and pads where an empty one came last."""
    kept = tuple(each for each in hello.extensions if each.number != PADDING)
    return replace(hello, extensions=kept)


def test_a_hello_that_was_sent_is_fitted_to_the_same_hello(stack: Stack) -> None:
    sent = read_hello(
        stack_for(clients()["go-1.24"], stack, server_name=HOST).machine().begin().send
    )
    fitted = fit(sent.client("again"), stack)
    again = read_hello(stack_for(fitted.client, stack, server_name=HOST).machine().begin().send)

    assert fitted.cost == 0
    assert unpadded(again).ja4 == unpadded(sent).ja4
