from __future__ import annotations

import ssl
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from stress.errors import UsageError
from stress.handshake import Credentials, stack_for
from stress.handshake.hello import ClientHello, read_hello
from stress.handshake.stack import shortfall
from stress.model.plan import Client, Stack
from tests.handshake.ends import HOST, Pki, Server, shake


def test_a_client_certificate_is_sent_on_request(stack: Stack, pki: Pki) -> None:
    credentials = Credentials(pki.other.chain_file, pki.other.key_file)
    factory = stack_for(Client("test"), stack, server_name=HOST, credentials=credentials)
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        machine, server = factory.machine(), Server(pki.ecdsa).only(version)

        shake(machine, server.demanding(pki.root_file))

        assert machine.facts().outcome.name == "ok"
        assert machine.facts().settled
        assert server.tls
        assert server.tls.getpeercert(binary_form=True) == pki.other.chain[0]


def test_a_server_that_rejects_our_certificate_does_not_count_as_requiring_one(
    stack: Stack, pki: Pki
) -> None:
    credentials = Credentials(pki.other.chain_file, pki.other.key_file)
    factory = stack_for(Client("test"), stack, server_name=HOST, credentials=credentials)
    machine, server = factory.machine(), Server(pki.ecdsa).only(ssl.TLSVersion.TLSv1_2)
    server.context.verify_mode = ssl.CERT_REQUIRED  # and nobody is trusted

    shake(machine, server)

    assert machine.facts().outcome.name == "alert-48"


@pytest.mark.parametrize("bad", ["missing", "no PEM", "key of another"])
def test_bad_credentials_are_refused_before_anything_is_sent(
    stack: Stack, pki: Pki, tmp_path: Path, bad: str
) -> None:
    text = tmp_path / "text.pem"
    text.write_text("no certificate\n")
    certificate, key = {
        "missing": (tmp_path / "absent.pem", pki.ecdsa.key_file),
        "no PEM": (text, text),
        "key of another": (pki.ecdsa.chain_file, pki.rsa.key_file),
    }[bad]

    with pytest.raises(UsageError) as caught:
        stack_for(
            Client("test"), stack, server_name=HOST, credentials=Credentials(certificate, key)
        )

    assert str(certificate) in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("name", ["a" * 64 + ".test", "bücher.test", "a..b", "", "x." * 127 + "xx"])
def test_a_name_that_cannot_be_sent_is_refused(stack: Stack, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be sent as server name"):
        stack_for(Client("test"), stack, server_name=name)


@pytest.mark.parametrize(
    ("fields", "stack", "words"),
    [
        ({"versions": (0x0303, 0x0302)}, Stack.BORINGSSL, "TLS 1.2 and 1.3 only"),
        ({"versions": ()}, Stack.BORINGSSL, "not none"),
        ({"versions": (0x0305,)}, Stack.OPENSSL, "0x0305"),
        ({"cipher_suites": (0xC008,)}, Stack.BORINGSSL, "TLS_ECDHE_ECDSA_WITH_3DES_EDE_CBC_SHA"),
        ({"cipher_suites": (0x1301, 0xC024)}, Stack.BORINGSSL, "cipher suites"),
        ({"groups": (29, 256)}, Stack.BORINGSSL, "groups without ffdhe2048"),
        ({"groups": (29, 0xFEFE)}, Stack.OPENSSL, "groups"),
        ({"signature_algorithms": (0xFEFE,)}, Stack.OPENSSL, "signature algorithms"),
        ({"key_shares": (25,)}, Stack.OPENSSL, "key shares"),
        ({"cipher_suites": (0xC02B, 0xC008)}, Stack.OPENSSL, "cipher suites without"),
        ({"cipher_suites": (0xFEFE,)}, Stack.OPENSSL, "cipher suites"),
    ],
)
def test_a_profile_that_the_stack_would_not_really_send_is_refused(
    fields: dict[str, tuple[int, ...]], stack: Stack, words: str
) -> None:
    client = Client("mine", **fields)  # type: ignore[arg-type] # a table's fields

    with pytest.raises(UsageError, match=words) as caught:
        stack_for(client, stack, server_name=HOST)

    assert "'mine'" in caught.value.message
    assert caught.value.hint


def test_a_stack_that_is_not_installed_is_explained() -> None:
    script = (
        "import sys; sys.modules['utls'] = None; from stress.cli.main import main;"
        " sys.exit(main(['clients', 'show', 'generic', '--stack', 'boringssl']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], check=False, capture_output=True, text=True
    )

    assert done.returncode == 2
    assert "boringssl is not installed" in done.stderr
    assert "--stack openssl" in done.stderr


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


def test_a_hello_that_matches_the_profile_has_no_shortfall(stack: Stack) -> None:
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
