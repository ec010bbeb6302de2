"""From a trace to a profile that a stack of ours can speak, with everything lost in words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from stress.clients.importing import Imported, import_client
from stress.clients.profiles import clients, load_client
from stress.errors import UsageError
from stress.handshake import stack_for
from stress.model.plan import Client, Stack
from tests.planning.packets import hello, pcapng, spoken

JAVA = hello("app.lab.test", clients()["java-17"])
GREASE_ALPN = hello(client=Client("x", alpn=("zz", "h2"))).replace(b"\x02zz", b"\x02\x0a\x0a")


def imported(
    tmp_path: Path, data: bytes, name: str | None = None, stack: Stack | None = None
) -> Imported:
    file = tmp_path / "My app, 2.pcapng"
    file.write_bytes(data)
    return import_client(file, server_name=None, name=name, stack=stack)


def written(made: Imported, tmp_path: Path) -> Client:
    file = tmp_path / "made.toml"
    file.write_text(made.toml)
    return load_client(str(file))


def test_the_stack_that_loses_less_is_chosen(tmp_path: Path) -> None:
    made = imported(tmp_path, pcapng(spoken([(0, JAVA)])))
    client = written(made, tmp_path)

    assert made.fit.client.stack is Stack.OPENSSL
    assert client == made.fit.client
    assert client.cipher_suites == tuple(n for n in clients()["java-17"].cipher_suites if n != 0xFF)
    stack_for(client, Stack.OPENSSL, server_name="app.lab.test")


@pytest.mark.boringssl
def test_on_the_other_stack_what_it_cannot_send_is_named(tmp_path: Path) -> None:
    made = imported(tmp_path, JAVA, stack=Stack.BORINGSSL)
    words = " ".join(made.fit.client.cannot_express)

    assert "ffdhe2048" in words
    assert "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384" in words
    stack_for(written(made, tmp_path), Stack.BORINGSSL, server_name="app.lab.test")


def test_the_file_says_where_its_facts_come_from(tmp_path: Path) -> None:
    made = imported(tmp_path, pcapng(spoken([(0, JAVA)])))

    assert "\n# Imported by tls-stress from My app, 2.pcapng (SHA-256 " in made.toml
    assert "first ClientHello for app.lab.test, sent to 198.51.100.7:443" in made.toml
    assert f"JA4 {made.hello.ja4}" in made.toml
    assert '\nstack = "openssl"\n' in made.toml


@pytest.mark.parametrize(("given", "name"), [(None, "My-app-2"), ("android.v7", "android.v7")])
def test_the_profile_is_named_after_the_file_or_as_asked(
    given: str | None, name: str, tmp_path: Path
) -> None:
    assert imported(tmp_path, JAVA, given).fit.client.name == name


@pytest.mark.parametrize("name", ["../up", "a b", "é", "-x", "x" * 65])
def test_a_name_that_makes_no_file_name_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--name"):
        imported(tmp_path, JAVA, name)


def test_a_protocol_that_is_no_text_is_named_instead_of_sent(tmp_path: Path) -> None:
    client = written(imported(tmp_path, GREASE_ALPN), tmp_path)

    assert client.alpn == ("h2",)
    assert "ALPN with 0a0a" in client.cannot_express


def test_other_hellos_for_the_same_name_are_counted(tmp_path: Path) -> None:
    frames = spoken([(0, JAVA)], 10) + spoken([(0, JAVA)], 9_000) + spoken([(0, hello())], 18_000)
    made = imported(tmp_path, pcapng(frames))

    assert made.others == 1


def test_without_a_server_name_none_is_sent(tmp_path: Path) -> None:
    client = written(imported(tmp_path, hello(None)), tmp_path)

    assert client.server_name is False
    assert replace(client, server_name=True).policy == "any"
